/** Synthetic rows for the benchmark, the same on every run. */

import { IGNORED } from "../dist/core/labels.js";
import { Philox } from "../dist/core/random/philox.js";

/** "random": every token labeled, all rows as long. "instruction": as people train, see `instructionRows`. */
export const dataKinds = ["random", "instruction"];

/** Rows of a batch. */
export function benchRows({ data, tokens, batch, vocabSize, encoderDecoder }) {
  return Array.from({ length: batch }, (_, i) => {
    const ids = (length, stream) => {
      const random = new Philox(7, stream);
      return Array.from({ length }, () => random.below(vocabSize));
    };
    const length = data === "random" ? tokens : spread(tokens, batch, i);
    if (encoderDecoder) return { inputIds: ids(length, i), labels: ids(length, batch + i) };
    const inputIds = ids(length, i);
    const prompt = data === "random" ? 0 : length >> 1;
    return { inputIds, labels: inputIds.map((id, t) => (t < prompt ? IGNORED : id)) };
  });
}

/** Instruction data: row i of a batch whose lengths go up evenly from an eighth of `tokens` to `tokens`; the first half is prompt. */
function spread(tokens, batch, i) {
  const shortest = Math.max(2, tokens / 8);
  return Math.round(shortest + ((tokens - shortest) * i) / Math.max(1, batch - 1));
}
