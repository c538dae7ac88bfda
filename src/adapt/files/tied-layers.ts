/** `ensure_weight_tying` in adapter files: what is done to the embedding is done to the output projection that is its table. */
import type { Base } from "../adaptable-model.ts";
import type { MethodConfig } from "../method/define-method.ts";
import { inputEmbedding, tiedHeads } from "../method/token-rows.ts";

/** What PEFT counts as an embedding. */
const EMBEDDINGS = ["embed_tokens", "lm_head"];

/**
 * The config with the tied layers that PEFT added when it was trained, whose tensors the file holds. Here they are adapted each
 * for itself, so that such an adapter is for inference.
 */
export function withTiedLayers(config: MethodConfig, base: Base): MethodConfig {
  const { file, values } = config;
  if (file?.ensure_weight_tying !== true) return config;
  const embedding = inputEmbedding(base);
  const tied = [embedding, ...tiedHeads(base, embedding)].map(({ name }) => name);
  if (tied.length === 1) return config;
  const { modulesToSave, targetModules } = values;
  const among = (names: readonly string[]) => names.some((name) => EMBEDDINGS.includes(name.split(".").at(-1)!));
  const added = { ...config, inferenceOnly: [...(config.inferenceOnly ?? []), "ensure_weight_tying"] };
  if (modulesToSave && among(modulesToSave))
    return { ...added, values: { ...values, modulesToSave: merged(modulesToSave, tied) } };
  if (Array.isArray(targetModules) && among(targetModules as string[]))
    return { ...added, values: { ...values, targetModules: merged(targetModules as string[], tied) } };
  return config;
}

/** The names, and those that none of them covers. */
function merged(names: readonly string[], more: readonly string[]): string[] {
  return [...names, ...more.filter((each) => !names.some((name) => each === name || each.endsWith(`.${name}`)))];
}
