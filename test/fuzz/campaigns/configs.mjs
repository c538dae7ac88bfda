/** config.json of every architecture: what is accepted makes a model whose numbers are finite, and is freed as a whole. */
import { modelFromConfig } from "../../../dist/auto/auto-model.js";
import { readJson } from "../../../dist/checkpoint/checkpoint.js";
import { concatenate } from "../../../dist/index.js";
import { engines } from "../engines.mjs";
import { golden, json, parsed, sourceOf } from "../seeds.mjs";

const MOST = 24e6;
export const memory = MOST;
const bases = parsed(golden("model-configs/bases.json"));
const cases = parsed(golden("model-configs/cases.json"));
const configs = Object.entries(bases).map(([type, base]) => ({ model_type: type, ...base }));
const changed = cases.map(({ type, changes }) => ({ model_type: type, ...bases[type], ...changes }));

export const seeds = () => [...configs, ...configs, ...changed].map((config) => ({ "config.json": json(config) }));

const withEngine = engines(MOST);

export async function run(files) {
  const config = await readJson(sourceOf(files), "config.json");
  await withEngine(async (engine) => {
    const model = await modelFromConfig({ ...config }, null, { engine, fast: true });
    try {
      const isText = model.inputKinds.length === 0 && ["CAUSAL_LM", "FEATURE_EXTRACTION"].includes(model.task);
      if (isText) model.forward(concatenate([[1, 2, 3]])); // throws where a number is not finite
    } finally {
      model.dispose();
    }
  });
}
