/**
 * LoRA (Hu et al. 2021, eq. 3):  y = x·Wᵀ + bias + s·(drop(x)·Aᵀ)·Bᵀ,   s = loraAlpha / r, or / √r when rank-stabilized
 *
 *   lora_A.weight [r, in]            lora_B.weight [out, r]             also on GPT-2's Conv1D
 *   lora_embedding_A [r, V]          lora_embedding_B [D, r]            y = W[ids] + s·Aᵀ[ids]·Bᵀ, without dropout
 *   lora_B.bias [out]                with loraBias, also times s
 *   lora_magnitude_vector [out]      with useDora (Liu et al. 2024):  W' = m ∘ (W + s·B·A) / n,  n = ‖W + s·B·A‖ by output
 *
 * B starts at zero (on embeddings A), so a fresh adapter changes nothing. The initializations "pissa" and "olora"
 * subtract s·B·A from the base: here a constant delta −s·B₀·A₀ does this in addition to the trained one, so that the
 * base is unchanged and can be shared.
 */

import { defineMethod, type EmbeddingPart, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { type Factors, rankMisfit } from "../adapt/method/factors.ts";
import { fanInFanOut, settledFanInFanOut } from "../adapt/method/fan-in-fan-out.ts";
import { isTrainingBuffer, loraFromFile } from "../adapt/method/lora-file.ts";
import { dropoutRate, numbersByPattern } from "../adapt/method/options.ts";
import { isPrincipal, principalFactors, type StartFactors } from "../adapt/method/principal-start.ts";
import { kaimingUniform, type Make, type Start } from "../adapt/method/tensor-maker.ts";
import { tokenIdsByEmbedding, tokenSites } from "../adapt/method/token-rows.ts";
import { UnsupportedError } from "../core/errors.ts";
import { flag, number, oneOf, option, whole } from "../core/options.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import type { Linear, LinearForward } from "../nn/layers/linear.ts";
import { addEmbeddingDelta, type Ids } from "../ops/embed/embedding.ts";
import { addBias, scaleColumns } from "../ops/layout/columns.ts";
import { replaceRows, sliceRows } from "../ops/layout/rows.ts";
import { foldLowRank, foldOutputScale, type WeightRows } from "../ops/linear/fold.ts";
import { addLowRank, type LowRank, linear, type Stored } from "../ops/linear/linear.ts";
import { constantRow, type LowRankPair, magnitudeOverNorm, WeightNorms } from "../ops/linear/weight-norm.ts";
import { add } from "../ops/pointwise/add.ts";
import { dropout } from "../ops/pointwise/dropout.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param, Weight } from "../tensor/tensor.ts";

const options = {
  r: whole(8, 1, { help: "rank of the adapter", alsoSpelled: ["rank", "lora-rank"] }),
  loraAlpha: number(8, {
    help: "the adapter's output is scaled by alpha / r",
    alsoSpelled: ["alpha"],
    cli: { default: 16, reason: "PEFT's own default of 8 is rarely used: most published recipes use twice the rank" },
  }),
  loraDropout: dropoutRate(0, "dropout of the adapter's input"),
  bias: oneOf(["none", "all", "lora_only"], "none", "which biases of the base are also trained"),
  useRslora: flag(false, "scale by alpha / √r (Kalajdzievski 2023)"),
  useDora: flag(false, "train magnitudes separately from directions (Liu et al. 2024)"),
  loraBias: flag(false, "add a trained bias to every adapted layer"),
  fanInFanOut,
  initLoraWeights: option<boolean | string>(
    true,
    'true, false, "gaussian", "pissa", "pissa_niter_[number]" or "olora"',
    isStart,
    "how the factors are initialized",
  ),
  rankPattern: numbersByPattern(whole(8, 1), "ranks of single layers, by pattern of layer names"),
  alphaPattern: numbersByPattern(number(8), "alphas of single layers, by pattern of layer names"),
  trainableTokenIndices: tokenIdsByEmbedding("ids of tokens whose embeddings are also trained"),
};

/** Initializations of PEFT that this version does not implement. */
const otherStarts = new Set(["eva", "corda", "loftq", "orthogonal", "mica", "lora_ga"]);

type Values = MethodValues<typeof options>;

/**
 * Low-rank adaptation of linear layers and embeddings.
 *
 * @example
 * const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16, targetModules: ["q_proj", "v_proj"] }));
 */
export const lora = defineMethod({
  peftType: "LORA",
  about: {
    title: "LoRA",
    paper: "Hu et al. 2021, arXiv:2106.09685",
    equation: "y = x·Wᵀ + (alpha / r)·(x·Aᵀ)·Bᵀ",
    when: "The default choice: it is close to full training on most tasks, merges into the weights, and adds no cost at inference.",
  },
  additive: true,
  swappable: true,
  misfit: rankMisfit("lora_A"),
  options,
  patterns: { rankPattern: "r", alphaPattern: "loraAlpha" },
  absent: {
    aloraInvocationTokens: null,
    arrowConfig: null,
    cordaConfig: null,
    ensureWeightTying: false,
    evaConfig: null,
    kasaConfig: null,
    layerReplication: null,
    loftqConfig: {},
    loraGaConfig: null,
    megatronConfig: null,
    montecloraConfig: null,
    targetParameters: null,
    useBdlora: null,
    useQalora: false,
    veloraConfig: null,
  },
  inert: { megatronCore: "megatron.core", qaloraGroupSize: 16 },
  check,
  fromFile: loraFromFile,
  ignores: isTrainingBuffer,
  settle: ({ fanInFanOut }, layers, warn) => settledFanInFanOut(fanInFanOut, layers, warn),
  savesTables: ({ trainableTokenIndices }) => trainableTokenIndices === null,
  linear: linearPart,
  embedding: embeddingPart,
  sites: (model, { trainableTokenIndices }, make) => tokenSites(model, trainableTokenIndices, make),
});

function isStart(value: unknown): boolean {
  if (typeof value === "boolean" || isPrincipal(value)) return true;
  return typeof value === "string" && (value.toLowerCase() === "gaussian" || otherStarts.has(value));
}

function check({ initLoraWeights, loraBias, useDora, bias }: Values, spell: (name: string) => string): string | null {
  if (typeof initLoraWeights === "string" && otherStarts.has(initLoraWeights)) {
    throw new UnsupportedError(
      `"${spell("initLoraWeights")}" is "${initLoraWeights}", but this version implements ${options.initLoraWeights.expected}`,
    );
  }
  if (!loraBias) return null;
  if (bias !== "none") {
    throw new UnsupportedError(
      `"${spell("loraBias")}" with "${spell("bias")}" "${bias}" is not implemented: use one bias per layer`,
    );
  }
  if (useDora) return `"${spell("loraBias")}" cannot be used together with "${spell("useDora")}"`;
  if (typeof initLoraWeights === "boolean") return null;
  return `"${spell("loraBias")}" needs "${spell("initLoraWeights")}" to be true or false, found "${initLoraWeights}"`;
}

function scaleOf({ loraAlpha, r, useRslora }: Values): number {
  return loraAlpha / (useRslora ? Math.sqrt(r) : r);
}

function linearPart(layer: Linear, values: Values, make: Make): LinearPart {
  const { inFeatures, outFeatures } = layer;
  const { r, loraDropout, initLoraWeights: start } = values;
  const scale = scaleOf(values);
  const starts = linearStarts(layer, values, make);
  const a = make.param("lora_A.weight", [r, inFeatures], starts.a);
  const b = make.param("lora_B.weight", [outFeatures, r], starts.b);
  const pair = { a, b, scale };
  const taken = isPrincipal(start) ? [takenOut(layer, values, starts, make)] : [];
  const biasStart = start === false ? kaimingUniform(r) : "zeros";
  const bias = values.loraBias ? make.param("lora_B.bias", [outFeatures], biasStart) : null;
  if (values.useDora) return doraPart(layer, pair, taken, loraDropout, make);
  return {
    forward(x, deltas, below, biased) {
      const own = [{ input: dropout(x, loraDropout), ...pair }, ...taken.map((each) => ({ input: x, ...each }))];
      const y = below(x, [...deltas, ...own], biased);
      return bias === null ? y : addBias(y, bias, scale);
    },
    forwardRows(x, rows, below) {
      const y = below(x);
      const input = sliceRows(x, rows);
      const adapted = addLowRank(
        sliceRows(y, rows),
        [pair, ...taken].map((each) => ({ input, ...each })),
      );
      return replaceRows(y, rows, bias === null ? adapted : addBias(adapted, bias, scale));
    },
    fold: () => foldPairs(layer.stored, [pair, ...taken]),
    factors: () => (bias === null ? [pair, ...taken].map(asFactors) : null),
    setFactors: (newA, newB) => setFactors(pair, newA, newB),
    ...(bias && { foldBias: (values: Float32Array) => addScaled(values, bias.values(), scale) }),
  };
}

function addScaled(to: Float32Array, values: Float32Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * values[i]!;
}

interface Starts {
  readonly a: Start;
  readonly b: Start;
}

function linearStarts(layer: Linear, values: Values, make: Make): Starts {
  const { r, initLoraWeights: start } = values;
  if (isPrincipal(start)) {
    let factors: StartFactors | null = null;
    const found = () => (factors ??= principalFactors(start, layer, make.engine.memory, r, scaleOf(values), make.seed));
    return { a: (to) => to.set(found().a), b: (to) => to.set(found().b) };
  }
  const a: Start = typeof start === "string" ? { normal: 1 / r } : kaimingUniform(layer.inFeatures);
  return { a, b: start === false ? kaimingUniform(r) : "zeros" };
}

/** The part that a principal initialization subtracts from the base: −s·B₀·A₀. */
function takenOut({ inFeatures, outFeatures }: Linear, values: Values, starts: Starts, make: Make): LowRankPair {
  const a = make.constant("lora_A.start", [values.r, inFeatures], starts.a);
  const b = make.constant("lora_B.start", [outFeatures, values.r], starts.b);
  return { a, b, scale: -scaleOf(values) };
}

function embeddingPart(layer: Embedding, values: Values, make: Make): EmbeddingPart {
  const { r, useDora } = values;
  const fresh = values.initLoraWeights !== false;
  if (values.loraBias)
    throw new UnsupportedError(`loraBias is not defined for embeddings, found "${layer.name}" among the targets`);
  const a = make.param("lora_embedding_A", [r, layer.rows], fresh ? "zeros" : { normal: 1 });
  const b = make.param("lora_embedding_B", [layer.width, r], { normal: 1 });
  const pair = { a, b, scale: scaleOf(values) };
  const dora = useDora ? new Dora(() => layer.weight, "in-out", layer.width, [pair], make) : null;
  return {
    forward(rows: Value, ids: Ids) {
      const sum = addEmbeddingDelta(rows, ids, a, b, pair.scale);
      return dora === null ? sum : scaleColumns(sum, dora.factors(ids.tape));
    },
    fold: (tape) => dora?.fold(tape) ?? foldPairs("in-out", [pair]),
    factors: () => (dora === null ? [asFactors(pair)] : null),
    setFactors: (newA, newB) => setFactors(pair, newA, newB),
    rebase: () => dora?.rebase(),
  };
}

function asFactors({ a, b, scale }: LowRankPair): Factors {
  const [r, inFeatures] = a.shape as [number, number];
  return { a: a.values(), b: b.values(), r, inFeatures, outFeatures: b.shape[0]!, scale };
}

function setFactors(pair: LowRankPair, a: Float32Array, b: Float32Array): void {
  pair.a.values().set(a);
  pair.b.values().set(b);
}

function foldPairs(stored: Stored, pairs: readonly LowRankPair[]): (rows: WeightRows) => void {
  return (rows) => {
    for (const pair of pairs) foldLowRank(rows, stored, pair);
  };
}

/** The magnitude of DoRA and its effect on a weight: each output feature is multiplied by m / n. */
class Dora {
  readonly #magnitude: Param;
  readonly #norms: WeightNorms;
  readonly #stored: Stored;
  readonly #pairs: readonly LowRankPair[];

  constructor(weight: () => Weight, stored: Stored, outFeatures: number, pairs: readonly LowRankPair[], make: Make) {
    this.#norms = new WeightNorms(weight, stored, pairs);
    this.#stored = stored;
    this.#pairs = pairs;
    this.#magnitude = make.param("lora_magnitude_vector", [outFeatures], (values) => {
      values.set(make.once((tape) => this.#norms.compute(tape)));
    });
  }

  /** m / n [1, out], for a forward pass. */
  factors(tape: Tape): Value {
    return magnitudeOverNorm(tape, this.#magnitude, this.#norms.compute(tape));
  }
  fold(tape: Tape): (rows: WeightRows) => void {
    const magnitude = this.#magnitude.values();
    const factors = this.#norms.compute(tape).map((norm, i) => magnitude[i]! / norm);
    const foldAll = foldPairs(this.#stored, this.#pairs);
    const columns = this.#stored === "out-in" ? this.#pairs[0]!.a.shape[1]! : factors.length;
    return (rows) => {
      foldAll(rows);
      foldOutputScale(rows, this.#stored, columns, factors);
    };
  }
  rebase(): void {
    this.#norms.forget();
  }
}

/**
 * DoRA on a linear layer: y = (m/n) ∘ (x·Wᵀ + s·B·A·x) + bias. With dropout, only the part that DoRA adds to the plain
 * layer uses the dropped input d: y = x·Wᵀ + bias + (m/n) ∘ (d·Wᵀ + s·B·A·d) − d·Wᵀ.
 */
function doraPart(layer: Linear, pair: LowRankPair, taken: readonly LowRankPair[], p: number, make: Make): LinearPart {
  const dora = new Dora(() => layer.weight, layer.stored, layer.outFeatures, [pair, ...taken], make);
  const riding = (input: Value, pairs: readonly LowRankPair[]) => pairs.map((each): LowRank => ({ input, ...each }));
  return {
    forward(x: Value, deltas: readonly LowRank[], below: LinearForward, biased: boolean) {
      const factors = dora.factors(x.tape);
      const dropped = dropout(x, p);
      if (dropped !== x) {
        const base = below(x, [...deltas, ...riding(x, taken)], biased);
        const plain = linear(dropped, layer.weight, layer.stored, null, riding(dropped, taken));
        const adapted = scaleColumns(addLowRank(plain, riding(dropped, [pair])), factors);
        return add(add(base, adapted), scaleColumns(plain, constantRow(x.tape, layer.outFeatures, -1)));
      }
      const scaled = scaleColumns(below(x, riding(x, [pair, ...taken]), false), factors);
      const y = addLowRank(scaled, deltas);
      return biased && layer.bias !== null ? addBias(y, layer.bias) : y;
    },
    fold: (tape) => dora.fold(tape),
    rebase: () => dora.rebase(),
  };
}
