/** lorikeet demo: adapts the bundled base to the bundled sonnets. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { flag, text, type ValuesOf } from "../../core/options.ts";
import { commandOf } from "../command.ts";

const options = {
  short: flag(false, "a few steps only"),
  output: text({ help: "run folder (default: runs/demo)", placeholder: "dir" }),
};

const file = fileURLToPath(new URL("../../../examples/demo.js", import.meta.url));

export const command: Command = commandOf("demo", {
  description: "Adapt a small bundled model to Shakespeare's sonnets, in about a minute and without a network.",
  options,
  examples: `
    $ lorikeet demo
    $ lorikeet demo --short --output runs/look`,
  run,
});

async function run({ short, output }: ValuesOf<typeof options>): Promise<void> {
  const words = [...(short ? ["--short"] : []), ...(output === null ? [] : ["--output", output])];
  process.exitCode =
    spawnSync(process.execPath, [...process.execArgv, file, ...words], { stdio: "inherit" }).status ?? 1;
}
