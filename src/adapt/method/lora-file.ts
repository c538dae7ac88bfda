/**
 * What PEFT's LoRA files say of how an adapter began and was trained. Once it is trained that no longer matters: what is left is
 * plain LoRA, on the base that the file names.
 */
import type { FromFile } from "./define-method.ts";
import { sameJson } from "./options.ts";

/** Starts that draw or compute the factors and leave the base as it is, or that PEFT does not repeat when it loads a folder. */
const finished = ["eva", "orthogonal", "mica", "lora_ga"];
/** Starts that change the base: the adapter fits the base that was saved beside it. */
const residual: Readonly<Record<string, string>> = {
  corda: 'PEFT itself cannot load it before "init_lora_weights" is set to true',
  loftq: "PEFT quantizes the base anew when it loads such an adapter, which is not done here",
};
/** What else belongs to those starts. */
const startConfigs = ["evaConfig", "cordaConfig", "loraGaConfig", "loftqConfig"];
/** How gradients were estimated or weights sampled in training: without effect on what the adapter computes. */
const trainingConfigs = ["veloraConfig", "montecloraConfig"];

/** Buffers of those kinds of training. */
const BUFFERS = /\.lora_(velora_embed|monteclora_sampler\..+)$/;

/** Whether a tensor in a LoRA file served training alone. */
export function isTrainingBuffer(key: string): boolean {
  return BUFFERS.test(key);
}

/** Options of LoRA and its kin as their files mean them. */
export const loraFromFile: FromFile = (given, { name, warn, trained }) => {
  const values = { ...given };
  if (sameJson(values.megatronConfig, {})) delete values.megatronConfig; // as good as null in PEFT
  if (values.loftqConfig === null) delete values.loftqConfig;
  if (!trained) return { values, inferenceOnly: [] };
  for (const key of startConfigs) delete values[key];
  delete values.ensureWeightTying; // which layers that adds is known when there is a model
  const { initLoraWeights: start } = given;
  if (typeof start === "string" && (finished.includes(start.toLowerCase()) || start in residual)) {
    values.initLoraWeights = true;
  }
  if (typeof start === "string" && start in residual) {
    warn(
      `${name}: "init_lora_weights" is "${start}", which changed the base in training: load the adapter on the base that was ` +
        `saved with it. Here it is plain LoRA; ${residual[start]}`,
    );
  }
  if (typeof start === "string" && /^pissa_niter_\d+$/i.test(start)) {
    warn(
      `${name}: "init_lora_weights" is "${start}", whose start is drawn at random each time it is loaded, by PEFT too: its outputs ` +
        "differ from load to load. Convert it to plain LoRA where it was trained",
    );
  }
  const training = trainingConfigs.filter((key) => (given[key] ?? null) !== null);
  for (const key of trainingConfigs) delete values[key];
  const frozen = typeof start === "string" && start.toLowerCase() === "mica" ? ["initLoraWeights"] : [];
  return { values, inferenceOnly: [...training, ...frozen] };
};
