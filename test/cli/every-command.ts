/** Every command, with the options of every method. */
import type { Command } from "commander";
import { knownMethods } from "../../src/adapt/files/known-methods.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { trainCommand } from "../../src/cli/commands/train.ts";
import { methodOrNull } from "../../src/cli/method-options.ts";
import { program } from "../../src/cli/program.ts";

/** The commands of the program with the options of LoRA first, then those with the options of each other method. */
export async function everyCommand(): Promise<Command[]> {
  const { commands } = await program([]);
  const leaves = commands.flatMap((command) => (command.commands.length > 0 ? [...command.commands] : [command]));
  const methods = await Promise.all(
    [...knownMethods(), "full"].map(async (name) => ({ name, method: await methodOrNull(name) })),
  );
  return [...leaves, ...methods.flatMap((chosen) => [trainCommand(chosen), inspectCommand(chosen)])];
}
