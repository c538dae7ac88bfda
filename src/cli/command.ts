/** A command of the command line, from its declaration. */
import { Command } from "commander";
import type { Options, ValuesOf } from "../core/options.ts";
import { addOptions, expectRequired, valuesOf } from "./options.ts";

export interface CommandDefinition<S extends Options> {
  readonly description: string;
  readonly options: S;
  /** Command lines to show, one a line. */
  readonly examples: string;
  readonly run: (values: ValuesOf<S>, command: Command) => Promise<void>;
}

/** Makes the command. `run` gets every option, with its default where it was not given. */
export function commandOf<S extends Options>(name: string, definition: CommandDefinition<S>): Command {
  const { description, options, examples, run } = definition;
  const command = new Command(name).description(description).addHelpText("after", examplesText(examples));
  addOptions(command, options).action(() => run(valuesOf(command, options), command));
  return expectRequired(command);
}

/** Command lines as help shows them at its end. */
export function examplesText(examples: string): string {
  return `\nExamples:\n${examples.trim().replace(/^\s*\$/gm, "  $")}`;
}
