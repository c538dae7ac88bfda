/** lorikeet methods: lists the PEFT methods. */
import type { Command } from "commander";
import { knownMethods, methodNamed } from "../../adapt/files/known-methods.ts";
import { flag, type ValuesOf } from "../../core/options.ts";
import { commandOf } from "../command.ts";
import { print } from "../terminal.ts";
import { methodsPage } from "./methods-page.ts";

const options = {
  json: flag(false, "print one JSON object per line"),
  markdown: flag(
    false,
    "print docs/methods.md: equations, options, trained parameters, and when to choose each method",
  ),
};

export const command: Command = commandOf("methods", {
  description: "List the PEFT methods that can be trained, with their papers.",
  options,
  examples: `
    $ lorikeet methods
    $ lorikeet methods --markdown > docs/methods.md
    $ lorikeet train --method ia3 --help`,
  run,
});

async function run({ json, markdown }: ValuesOf<typeof options>): Promise<void> {
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
    `${"full".padEnd(width)}  Full training: every weight, no adapter\n${" ".repeat(width)}  The baseline for comparison.`,
  );
}
