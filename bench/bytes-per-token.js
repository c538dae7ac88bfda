/** What decoding reads. */
import { sizeOf } from "../dist/core/shape.js";
import { Embedding } from "../dist/nn/layers/embedding.js";

/**
 * Weights that every token reads: all except tables from which it reads one row. A table that is also the head is read
 * whole.
 */
export function bytesPerToken(model) {
  const all = new Map(Array.from(model.namedWeights().values(), (weight) => [weight.name, sizeOf(weight.shape)]));
  const layers = [...model.modules.values()];
  const read = new Set(layers.filter((layer) => !(layer instanceof Embedding)).map(({ weight }) => weight.name));
  const sum = (names) => [...names].reduce((total, name) => total + all.get(name), 0);
  const lookedUp = layers.filter((layer) => layer instanceof Embedding && !read.has(layer.weight.name));
  const share = 1 - sum(lookedUp.map(({ weight }) => weight.name)) / sum(all.keys());
  return Math.round(share * model.engine.memory.usedBytes);
}
