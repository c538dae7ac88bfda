/** lorikeet models: lists the architectures. */
import type { Command } from "commander";
import { definitionFor, headsByTask, knownModelTypes } from "../../auto/auto-model.ts";
import { flag, type ValuesOf } from "../../core/options.ts";
import { commandOf } from "../command.ts";
import { print } from "../terminal.ts";

const options = { json: flag(false, "print one JSON object per line") };

export const command: Command = commandOf("models", {
  description: 'List the architectures ("model_type" of a config.json) and the tasks that each one supports.',
  options,
  examples: `
    $ lorikeet models
    $ lorikeet models --json`,
  run,
});

async function run({ json }: ValuesOf<typeof options>): Promise<void> {
  const types = knownModelTypes();
  const width = Math.max(...types.map((type) => type.length));
  for (const type of types) {
    const definition = await definitionFor({ model_type: type }, type);
    const own = Array.from(headsByTask(definition), ([task, { architecture }]) => [task, architecture] as const);
    if (json) print(JSON.stringify({ modelType: type, title: definition.title, tasks: Object.fromEntries(own) }));
    else
      print(
        `${type.padEnd(width)}  ${definition.title}\n${" ".repeat(width)}  ${own.map(([task]) => task).join(", ")}`,
      );
  }
}
