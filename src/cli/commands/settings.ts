/** lorikeet settings: lists the settings of training, data, engine and generation. */
import type { Command } from "commander";
import { expectedOf, flag, type ValuesOf } from "../../core/options.ts";
import { commandOf } from "../command.ts";
import { DeclaredFlag, defaultOf, hasFlag, plainText } from "../flags/options.ts";
import { print } from "../terminal.ts";
import { sections, settingsPage } from "./settings-page.ts";

const options = {
  json: flag(false, "print one JSON object per line"),
  markdown: flag(false, "print docs/training-settings.md"),
};

export const command: Command = commandOf("settings", {
  description: "List the settings of training, data, engine, generation and optimizers, with their defaults.",
  options,
  examples: `
    $ lorikeet settings
    $ lorikeet settings --markdown > docs/training-settings.md`,
  run,
});

async function run({ json, markdown }: ValuesOf<typeof options>): Promise<void> {
  if (markdown) {
    process.stdout.write(settingsPage());
    return;
  }
  for (const [title, , options] of sections()) {
    if (!json) print(`${title}:`);
    for (const [name, one] of Object.entries(options)) {
      const flags = hasFlag(one) ? new DeclaredFlag(name, one).flags : null;
      const { help, kind, fallback } = one;
      if (json)
        print(
          JSON.stringify({ section: title, name, kind, flags, default: fallback, cliDefault: defaultOf(one), help }),
        );
      else print(`  ${name.padEnd(28)} ${plainText(fallback).padEnd(8)} ${help ?? expectedOf(one)}`);
    }
  }
}
