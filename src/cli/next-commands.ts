/** The commands that people type after a run. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Task } from "../core/task.ts";
import { taskDefinition } from "../data/known-tasks.ts";
import { quoted } from "./paths/paths.ts";

/** What a run was given and what it made. */
export interface EndedRun {
  readonly model: string;
  /** Where the adapter is, or the model if every weight was trained. */
  readonly made: string;
  readonly isAdapter: boolean;
  readonly merges: boolean;
  readonly task: Task;
  /** Data files to measure on. */
  readonly measured: readonly string[];
}

/** Command lines with the paths of a run, of the commands that exist. */
export function nextCommands(run: EndedRun, existing: readonly string[]): string[] {
  const { model, made, isAdapter, merges, task, measured } = run;
  const using = isAdapter ? `--model ${quoted(model)} --adapter ${quoted(made)}` : `--model ${quoted(made)}`;
  const data = measured.map(quoted).join(" ");
  const isText = taskDefinition(task).labelsAreTokens === true;
  const chats = existing.includes("chat") && hasChatTemplate(model);
  const uses = !isText
    ? [`predict ${using} --data ${data} --output ${quoted(`${made}-answers.jsonl`)}`]
    : [chats ? `chat ${using}` : `generate ${using} --prompt "..."`];
  const all = [
    ...uses,
    `eval ${using} --data ${data}`,
    ...(isAdapter && merges ? [`merge ${using} --output ${quoted(`${made}-merged`)}`] : []),
  ];
  return all.filter((line) => existing.includes(line.split(" ")[0]!)).map((line) => `lorikeet ${line}`);
}

function hasChatTemplate(folder: string): boolean {
  const settings = join(folder, "tokenizer_config.json");
  if (existsSync(join(folder, "chat_template.jinja")) || existsSync(join(folder, "chat_template.json"))) return true;
  return existsSync(settings) && readFileSync(settings, "utf8").includes('"chat_template"');
}
