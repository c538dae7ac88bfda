/** lorikeet methods: the PEFT methods there are. */
import { Command } from "commander";
import { knownMethods, methodNamed } from "../../adapt/files/known-methods.ts";
import { print } from "../terminal.ts";
import { methodsPage } from "./methods-page.ts";

export const command: Command = new Command("methods")
  .description("List the PEFT methods that can be trained, with their papers.")
  .option("--json", "print one JSON object a line")
  .option("--markdown", "print docs/methods.md: equations, options, trained share, when to choose which")
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet methods
  $ lorikeet methods --markdown > docs/methods.md
  $ lorikeet train --method ia3 --help`,
  )
  .action(run);

async function run({ json, markdown }: { json?: boolean; markdown?: boolean }): Promise<void> {
  if (markdown) {
    process.stdout.write(await methodsPage());
    return;
  }
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
