/** lorikeet models: the architectures there are. */
import { Command } from "commander";
import { definitionFor, headsByTask, knownModelTypes } from "../../auto/auto-model.ts";
import { print } from "../terminal.ts";

export const command: Command = new Command("models")
  .description('List the architectures ("model_type" of a config.json) and the tasks that each can be loaded for.')
  .option("--json", "print one JSON object a line")
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet models
  $ lorikeet models --json`,
  )
  .action(run);

async function run({ json }: { json?: boolean }): Promise<void> {
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
