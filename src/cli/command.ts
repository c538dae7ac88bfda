/** Builds a command from its declaration. */
import { Command } from "commander";
import type { Options, ValuesOf } from "../core/options.ts";
import { addOptions, expectRequired, valuesOf } from "./options.ts";

export interface CommandDefinition<S extends Options> {
  readonly description: string;
  readonly options: S;
  /** Example command lines, one per line. */
  readonly examples: string;
  readonly run: (values: ValuesOf<S>, command: Command) => Promise<void>;
}

/** Creates the command. `run` receives every option, with its default if it was not given. */
export function commandOf<S extends Options>(name: string, definition: CommandDefinition<S>): Command {
  const { description, options, examples, run } = definition;
  const command = new Command(name).description(description).addHelpText("after", examplesText(examples));
  addOptions(command, options).action(() => run(valuesOf(command, options), command));
  return expectRequired(command);
}

/** Example command lines, formatted for the end of the help text. */
export function examplesText(examples: string): string {
  return `\nExamples:\n${examples.trim().replace(/^\s*\$/gm, "  $")}`;
}
