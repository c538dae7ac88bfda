/** What an embedding model is trained on; bench/peers/pytorch.py computes the same. */
import { crossEntropy, div, indexSelect, matmul, mul, norm } from "../dist/ops.js";

const SCALE = 20;

/**
 * In-batch negatives, as in sentence-transformers' MultipleNegativesRankingLoss: rows 2i and 2i + 1 belong together, and each even row
 * has to find its partner among all odd ones by the cosine of their mean vectors. A loss per pair, [pairs, 1].
 */
export function pairLosses(tape, model, batch) {
  const vectors = model.pooled(tape, batch, "mean");
  const units = div(vectors, norm(vectors, 1));
  const pairs = Array.from({ length: vectors.shape[0] / 2 }, (_, i) => i);
  const [one, other] = [0, 1].map((odd) =>
    indexSelect(
      units,
      pairs.map((i) => 2 * i + odd),
    ),
  );
  return crossEntropy(mul(matmul(one, other, { transposeB: true }), SCALE), pairs, { reduction: "none" });
}
