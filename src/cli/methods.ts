/** lorikeet methods: the PEFT methods there are. */
import { Command } from "commander";
import { knownMethods, methodNamed } from "../adapt/known-methods.ts";
import { print } from "./terminal.ts";

export const command: Command = new Command("methods")
  .description("List the PEFT methods that can be trained, with their papers.")
  .option("--json", "print one JSON object a line")
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet methods
  $ lorikeet train --method ia3 --help`,
  )
  .action(run);

async function run({ json }: { json?: boolean }): Promise<void> {
  const names = knownMethods();
  const methods = await Promise.all(names.map(methodNamed));
  const width = Math.max(...names.map((name) => name.length), "full".length);
  methods.forEach(({ peftType, about, format = "peft" }, i) => {
    const { title, paper, when } = about;
    if (json) print(JSON.stringify({ name: names[i], peftType, format, ...about }));
    else print(`${names[i]!.padEnd(width)}  ${title}: ${paper}\n${" ".repeat(width)}  ${when}`);
  });
  if (json) return;
  print(
    `${"full".padEnd(width)}  Full training: every weight, no adapter\n${" ".repeat(width)}  The baseline to compare with.`,
  );
}
