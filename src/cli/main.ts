#!/usr/bin/env node
/** The command line. One file per command; `--help` describes what each prints. */
import { Command } from "commander";
import { command as addTokens } from "./commands/add-tokens.ts";
import { bench, runBench } from "./commands/bench.ts";
import { command as chat } from "./commands/chat.ts";
import { command as data } from "./commands/data.ts";
import { command as evaluate } from "./commands/eval.ts";
import { command as generate } from "./commands/generate.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { command as merge } from "./commands/merge.ts";
import { command as methods } from "./commands/methods.ts";
import { command as models } from "./commands/models.ts";
import { command as predict } from "./commands/predict.ts";
import { command as settings } from "./commands/settings.ts";
import { trainCommand } from "./commands/train.ts";
import { fail } from "./failure.ts";
import { methodAsked, methodOrNull } from "./method-options.ts";
import { watchPipes } from "./terminal.ts";
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
    ...bench,
  ]) {
    lorikeet.addCommand(
      command.showHelpAfterError("(--help shows the options, with examples)").allowExcessArguments(false),
    );
  }
  return lorikeet;
}

watchPipes();
const [name, ...rest] = process.argv.slice(2);
if (name === "bench" && bench.length > 0) process.exitCode = runBench(rest);
else
  program(process.argv.slice(2))
    .then((lorikeet) => lorikeet.parseAsync())
    .catch(fail);
