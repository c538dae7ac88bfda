/** The program: every command. */
import { Command } from "commander";
import { didYouMean } from "../core/similar.ts";
import { command as addTokens } from "./commands/add-tokens.ts";
import { bench } from "./commands/bench.ts";
import { command as chat } from "./commands/chat.ts";
import { command as data } from "./commands/data.ts";
import { command as demo } from "./commands/demo.ts";
import { command as evaluate } from "./commands/eval.ts";
import { command as generate } from "./commands/generate.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { command as merge } from "./commands/merge.ts";
import { command as methods } from "./commands/methods.ts";
import { command as models } from "./commands/models.ts";
import { command as predict } from "./commands/predict.ts";
import { command as settings } from "./commands/settings.ts";
import { trainCommand } from "./commands/train.ts";
import { methodAsked, methodOrNull } from "./method-options.ts";
import { version } from "./version.ts";

/**
 * The complete command line, not yet run. `argv` are the arguments after the program's name: they determine which
 * method's options exist.
 */
export async function program(argv: readonly string[]): Promise<Command> {
  const name = await methodAsked(argv);
  const chosen = { name, method: await methodOrNull(name) };
  const train = trainCommand(chosen);
  const inspect = inspectCommand(chosen);
  const lorikeet = new Command("lorikeet")
    .description("Parameter-efficient fine-tuning on the CPU, reading and writing Hugging Face files.")
    .version(version)
    .addHelpText(
      "after",
      `
Examples:
  $ lorikeet train --model base --data train.jsonl --output runs/first --steps 200
  $ lorikeet generate --model base --adapter runs/first/adapter --prompt "Once upon a time"
  $ lorikeet chat --model chat --adapter runs/first/adapter
  $ lorikeet <command> --help`,
    );
  lorikeet.on("command:*", ([name = ""]: string[]) => lorikeet.error(`error: ${unknownCommand(lorikeet, name)}`));
  for (const command of [
    train,
    data,
    generate,
    chat,
    evaluate,
    predict,
    merge,
    addTokens,
    inspect,
    methods,
    models,
    settings,
    demo,
    ...bench,
  ]) {
    lorikeet.addCommand(command.showHelpAfterError("(--help shows the options, with examples)"));
  }
  return lorikeet;
}

/** What other tools call these commands. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ finetune: "train", "fine-tune": "train", sft: "train", lora: "train", fit: "train" },
  ...{ evaluate: "eval", test: "eval", validate: "eval", infer: "generate", complete: "generate", run: "generate" },
  ...{ fuse: "merge", export: "merge", info: "inspect", show: "inspect", preview: "data preview", list: "models" },
};

function unknownCommand({ commands }: Command, name: string): string {
  const names = commands.map((command) => command.name());
  const elsewhere = ELSEWHERE[name.toLowerCase().replaceAll("_", "-")];
  const near = elsewhere === undefined ? didYouMean(name, names) : ` Type lorikeet ${elsewhere}.`;
  return `unknown command '${name}', expected one of ${names.join(", ")}.${near}`;
}
