/** A small stand-in for the bundled base and its data under their paths, and `lorikeet` and `npx` on the path. */
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { openTarget } from "../../src/checkpoint/open.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { root } from "../cli/bed.ts";

/** Fills `work` and returns the PATH with which its commands are found. */
export async function smallExamples(work: string): Promise<string> {
  const pocket = join(work, "examples/pocket");
  mkdirSync(pocket, { recursive: true });
  const config = JSON.parse(readFileSync(join(root, "examples/pocket/config.json"), "utf8"));
  const sizes = {
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    head_dim: 8,
  };
  await saveModel(await AutoModelForCausalLM.fromConfig({ ...config, ...sizes }), openTarget(pocket));
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    cpSync(join(root, "examples/pocket", file), join(pocket, file));
  mkdirSync(join(work, "examples/sonnets"));
  for (const file of ["train.jsonl", "valid.jsonl"]) {
    const rows = readFileSync(join(root, "examples/sonnets", file), "utf8")
      .split("\n")
      .slice(0, 6);
    writeFileSync(join(work, "examples/sonnets", file), `${rows.join("\n")}\n`);
  }
  mkdirSync(join(work, "bin"));
  const shims = { lorikeet: `exec "${process.execPath}" "${join(root, "dist/cli/main.js")}" "$@"`, npx: 'exec "$@"' };
  for (const [name, script] of Object.entries(shims)) {
    writeFileSync(join(work, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(work, "bin", name), 0o755);
  }
  return `${join(work, "bin")}:${process.env.PATH}`;
}
