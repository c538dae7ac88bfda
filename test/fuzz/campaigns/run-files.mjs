/** YAML files of --config, with the options of `lorikeet train`. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trainCommand } from "../../../dist/cli/commands/train.js";
import { applyRunFile } from "../../../dist/cli/flags/run-file.js";
import { methodOrNull } from "../../../dist/cli/method-options.js";
import { text } from "../seeds.mjs";

const method = { name: "lora", method: await methodOrNull("lora") };
const place = join(mkdtempSync(join(tmpdir(), "lorikeet-yaml-")), "run.yaml");
const contents = [
  "model: base\ndata: [a.jsonl, b.jsonl]\nlearning-rate: 2e-4\nsteps: 100\n",
  "# a run\nr: 8\nlora_alpha: 16\ntarget-modules: all-linear\nseed: 1\ngradient-checkpointing: true\n",
  "columns:\n  text: body\n  label: class\nwarmup-ratio: 0.1\noptim: adamw\nlr-scheduler-type: cosine\nlogging-steps: 5\n",
  "base: &a [x, y]\ndata: *a\nsave-steps: 10\nmax-length: 64\nvalid: v.jsonl\noptim-args: {betas: [0.9, 0.99]}\n",
];

export const words = [
  ..."&a|*a|<<: *a|!!binary x|!!set|---|...|? x|- |[|]|{|}|: |: |#|'|\"|>-||!!js/function x|~|.inf|.nan|0x7fffffff|1e999|2020-01-01".split(
    "|",
  ),
  ...[
    "[*a,*a,*a,*a,*a,*a,*a,*a,*a]",
    "&b [*a,*a,*a,*a,*a,*a,*a,*a,*a]",
    "&c [*b,*b,*b,*b,*b,*b,*b,*b,*b]",
    "__proto__:",
    "constructor:",
  ],
];

export const seeds = () => contents.map((content) => ({ "run.yaml": text(content) }));

export async function run(files) {
  writeFileSync(place, files["run.yaml"]);
  await applyRunFile(trainCommand(method), place);
}
