/**
 * OFT (Qiu et al. 2023, eq. 4; on the input as in Qiu et al. 2025): a block-diagonal rotation is applied to the input.
 *
 *   y = (x·R)·Wᵀ + bias,   R = diag(R₁ … Rₙ),   Qᵢ = −Qᵢᵀ [b, b],   n·b = in
 *
 *   R = I + 2Q + 2Q² + 2Q³ + Q⁴         the series of (I + Q)·(I − Q)⁻¹, with 5 terms
 *   R = (I − Q)·(I + Q)⁻¹ with useCayleyNeumann false; the same parameters rotate in the opposite direction
 *
 *   oft_R.weight [n, b·(b − 1)/2]       the entries above the diagonals of Q, row by row; n = 1 if blocks share them
 *   oft_embedding_R.weight              the same on an embedding, whose rows are rotated
 *
 * Q starts at zero, so a fresh adapter changes nothing.
 */
import { defineMethod, type EmbeddingPart, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { fanInFanOut, refuseConv1D } from "../adapt/method/fan-in-fan-out.ts";
import { probability } from "../adapt/method/options.ts";
import type { Make } from "../adapt/method/tensor-maker.ts";
import { UnsupportedError } from "../core/errors.ts";
import { flag, number, oneOf, whole } from "../core/options.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import { replaceRows, sliceRows } from "../ops/layout/rows.ts";
import { cayley, cayleySeries } from "../ops/linear/cayley.ts";
import { foldRotation } from "../ops/linear/fold.ts";
import { blockRotate } from "../ops/linear/product.ts";
import { skewBlocks } from "../ops/linear/skew.ts";
import { scaleBy } from "../ops/pointwise/elementwise.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

const options = {
  r: whole(0, 0, "number of blocks; 0 if oftBlockSize sets it"),
  oftBlockSize: whole(32, 0, "size of the blocks; 0 if r sets their number"),
  moduleDropout: probability(0, "kept in files but not used, as in PEFT"),
  fanInFanOut,
  bias: oneOf(["none", "all", "oft_only"], "none", "which biases of the base are also trained"),
  initWeights: flag(true, "start with an adapter that changes nothing; false starts at random"),
  coft: flag(false, "keep rotations small, within eps"),
  eps: number(6e-5, "with coft: the largest norm of Q if its blocks are equal"),
  blockShare: flag(false, "one rotation for all blocks of a layer"),
  useCayleyNeumann: flag(true, "a series instead of the exact rotation: faster, but not quite orthogonal"),
  numCayleyNeumannTerms: whole(5, { least: 1, most: 1000 }, "terms of the series"),
};

type Values = MethodValues<typeof options>;

/**
 * Orthogonal fine-tuning: rotations before linear layers and after embeddings.
 *
 * @example
 * const model = getPeftModel(base, oft({ oftBlockSize: 32, targetModules: ["q_proj", "v_proj"] }));
 */
export const oft = defineMethod({
  peftType: "OFT",
  about: {
    title: "OFT",
    paper: "Qiu et al. 2023, arXiv:2306.07280; Qiu et al. 2025 (OFTv2), arXiv:2506.19847",
    equation: "y = (x·R)·Wᵀ, R block-diagonal and orthogonal",
    when: "For staying close to the base's knowledge: rotations preserve the angles between neurons. Merges into the weights.",
    learningRate: 1e-3,
  },
  options,
  check,
  settle,
  linear: linearPart,
  embedding: embeddingPart,
});

function check({ r, oftBlockSize }: Values, spell: (name: string) => string): string | null {
  if ((r === 0) !== (oftBlockSize === 0)) return null;
  const found = `"${spell("r")}" is ${r} and "${spell("oftBlockSize")}" is ${oftBlockSize}`;
  return `${found}: one of them must be 0, because their product would otherwise have to equal a layer's number of inputs`;
}

function settle(values: Values, layers: readonly Module[], warn: (message: string) => void): Partial<Values> {
  refuseConv1D("OFT", layers);
  const [option, asked] = values.r === 0 ? ["oftBlockSize", values.oftBlockSize] : ["r", values.r];
  const widths = new Map(layers.map((layer) => [rotated(layer), layer.name]));
  for (const [width, name] of widths) {
    const near = nearestDivisor(width, asked as number);
    if (near !== asked)
      warn(`${option} ${asked} does not divide ${width}, the width of "${name}": ${near} is used there`);
  }
  if (values.fanInFanOut)
    warn("fanInFanOut is set to false because all adapted layers store their weight as [out, in]");
  return { fanInFanOut: false };
}

/** The number of features of a layer to rotate. */
function rotated(layer: Module): number {
  return layer.kind === "linear" ? layer.inFeatures : layer.weight.shape.at(-1)!;
}

/** The divisor of `width` that is nearest to `asked`; the smaller of two equally near ones. */
export function nearestDivisor(width: number, asked: number): number {
  if (asked >= width) return width;
  let distance = 0;
  while (width % (asked - distance) !== 0 && width % (asked + distance) !== 0) distance++;
  return width % (asked - distance) === 0 ? asked - distance : asked + distance;
}

function linearPart(layer: Linear, values: Values, make: Make): LinearPart {
  const rotation = new Rotation(layer.name, layer.inFeatures, values, make, "oft_R.weight");
  const turned = (x: Value) => blockRotate(x, rotation.blocks(x.tape));
  return {
    forward: (x, deltas, below, biased) => below(turned(x), deltas, biased),
    forwardRows: (x, rows, below) => below(replaceRows(x, rows, turned(sliceRows(x, rows)))),
    fold(tape) {
      const back = rotation.blocks(tape, true); // (x·R)·Wᵀ = x·(W·Rᵀ)ᵀ
      return (rows) => foldRotation(rows, layer.inFeatures, back);
    },
  };
}

function embeddingPart(layer: Embedding, values: Values, make: Make): EmbeddingPart {
  const rotation = new Rotation(layer.name, layer.width, values, make, "oft_embedding_R.weight");
  return {
    forward: (rows) => blockRotate(rows, rotation.blocks(rows.tape)),
    fold(tape) {
      const blocks = rotation.blocks(tape);
      return (rows) => foldRotation(rows, layer.width, blocks);
    },
  };
}

/** The rotation of one layer, from its trained numbers. */
class Rotation {
  readonly #upper: Param;
  readonly #size: number;
  readonly #values: Values;

  constructor(layer: string, width: number, values: Values, make: Make, key: string) {
    const { r, oftBlockSize, blockShare, initWeights } = values;
    this.#values = values;
    this.#size = r === 0 ? nearestDivisor(width, oftBlockSize) : width / nearestDivisor(width, r);
    if (this.#size === 1) {
      throw new UnsupportedError(
        `OFT would rotate each of the ${width} features of "${layer}" separately: no block size near ${oftBlockSize || r} divides them`,
      );
    }
    const blocks = blockShare ? 1 : width / this.#size;
    const start = initWeights ? "zeros" : { normal: 0.1 };
    this.#upper = make.param(key, [blocks, (this.#size * (this.#size - 1)) / 2], start);
  }

  /** R with its blocks stacked vertically; or Rᵀ, which −Q gives. */
  blocks(tape: Tape, transposed = false): Value {
    const { coft, useCayleyNeumann, numCayleyNeumannTerms: terms } = this.#values;
    if (coft && !tape.planning) this.#project();
    const skew = skewBlocks(tape, this.#upper, this.#size);
    const q = transposed ? scaleBy(skew, -1) : skew;
    if (!useCayleyNeumann) return cayley(q);
    return cayleySeries(q, terms < 3 ? terms - 1 : Math.max(3, terms - 1)); // PEFT computes 3 terms as 4
  }

  /** Shrinks every block of Q to the allowed norm, in place, as PEFT does, outside the gradient. */
  #project(): void {
    const [blocks, count] = this.#upper.shape as [number, number];
    const limit = this.#values.eps / Math.sqrt(blocks);
    const values = this.#upper.values();
    for (let start = 0; start < values.length; start += count) {
      const block = values.subarray(start, start + count);
      const norm = Math.sqrt(2 * block.reduce((sum, x) => sum + x * x, 0));
      if (norm <= limit * (1 + 1e-6)) continue; // already shrunk blocks are unchanged
      for (let i = 0; i < count; i++) block[i]! *= limit / norm;
    }
  }
}
