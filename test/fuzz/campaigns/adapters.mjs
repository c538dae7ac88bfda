/** Folders of adapters, of every method, on tiny models: what is accepted computes finite numbers, and is freed as a whole. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { modelFromConfig } from "../../../dist/auto/auto-model.js";
import { concatenate, PeftModel } from "../../../dist/index.js";
import { engines } from "../engines.mjs";
import { mutateFiles } from "../mutators/files.mjs";
import { golden, parsed } from "../seeds.mjs";

const MOST = 48e6;
export const memory = MOST;
/** Its bytes are the name of the model: not part of what is changed. */
const BASE = "base";
const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const models = new Map([
  ["llama", "models/llama"],
  ["gpt2", "models/gpt2"],
  ["methods-models/bert", "methods-models/bert"],
]);

const folder = fileURLToPath(new URL("../../golden/methods", import.meta.url));
const found = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(`/${WEIGHTS}`))
  .map((path) => `methods/${path.slice(0, -WEIGHTS.length - 1).replaceAll("\\", "/")}`)
  .sort()
  .flatMap((path) => {
    try {
      const { model } = parsed(golden(`${path}/case.json`));
      if (!models.has(model)) return [];
      return [
        { [CONFIG]: golden(`${path}/${CONFIG}`), [WEIGHTS]: golden(`${path}/${WEIGHTS}`), [BASE]: Buffer.from(model) },
      ];
    } catch {
      return []; // of several adapters
    }
  });

export const seeds = () => found;

export function mutate({ [BASE]: base, ...files }, random, all, words) {
  const others = all.map(({ [BASE]: _, ...rest }) => rest);
  return { ...mutateFiles(files, random, others, words), [BASE]: base };
}

const input = concatenate([[1, 2, 3]]);

async function loadBases(engine) {
  const bases = new Map();
  for (const [name, path] of models) {
    bases.set(name, await modelFromConfig(parsed(golden(`${path}/config.json`)), null, { engine, fast: true }));
  }
  return bases;
}

const withEngine = engines(MOST, loadBases);

export async function run({ [BASE]: name, ...files }) {
  await withEngine(async (_, bases) => {
    const base = bases.get(Buffer.from(name).toString());
    const model = await PeftModel.fromPretrained(base, files, { onWarning: () => {} });
    try {
      if (base.inputKinds.length === 0) base.forward(input); // throws where a number is not finite
    } finally {
      model.dispose();
    }
  });
}
