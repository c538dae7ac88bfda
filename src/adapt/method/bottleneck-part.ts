/** One bottleneck adapter at one residual connection: its tensors, how they start, and what it computes. */

import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { Philox } from "../../core/random/philox.ts";
import type { Residual } from "../../nn/layers/residual.ts";
import { scaleColumns } from "../../ops/layout/columns.ts";
import { reshape } from "../../ops/layout/reshape.ts";
import { meanRows } from "../../ops/layout/rows.ts";
import { linear } from "../../ops/linear/linear.ts";
import { lift, product } from "../../ops/linear/product.ts";
import { constantRow } from "../../ops/linear/weight-norm.ts";
import { layerNorm } from "../../ops/norm/layer-norm.ts";
import { type Activation, activation, sigmoid } from "../../ops/pointwise/activation.ts";
import { add } from "../../ops/pointwise/add.ts";
import { dropout } from "../../ops/pointwise/dropout.ts";
import { scaleBy } from "../../ops/pointwise/elementwise.ts";
import { scaleSequences } from "../../ops/pointwise/scale-sequences.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";
import type { ResidualPart } from "./define-method.ts";
import { hubPlace } from "./hub-place.ts";
import { kaimingUniform, type Make, type MakeAt, type Start } from "./tensor-maker.ts";

/** A factor, or factors by layer number with "default" for the rest. */
export type Reduction = number | Readonly<Record<string, number>>;
/** The factor of a bottleneck: a number, one that is learned, or one for each channel. */
export type Scaling = number | "learned" | "channel";

/** The fields of AdapterHub's BnConfig that define what an adapter computes, in camelCase. */
export interface BottleneckOptions {
  readonly reductionFactor: Reduction;
  readonly nonLinearity: string;
  readonly originalLnBefore: boolean;
  readonly originalLnAfter: boolean;
  readonly lnBefore: boolean;
  readonly lnAfter: boolean;
  readonly initWeights: "bert" | "mam_adapter" | "houlsby";
  readonly initWeightsSeed: number | null;
  readonly isParallel: boolean;
  readonly scaling: Scaling;
  readonly useGating: boolean;
  readonly residualBeforeLn: boolean | "post_add";
  readonly adapterResidualBeforeLn: boolean;
  readonly dropout: number;
  readonly stochasticDepth: number;
}

/**
 * The position of an adapter: the connection, its layer in AdapterHub's numbering, and how many adapters were made
 * before.
 */
export interface BottleneckPlace {
  readonly site: Residual;
  readonly layer: number;
  readonly index: number;
}

/** Creates the tensors of an adapter and its computation at the connection. */
export function bottleneckPart(place: BottleneckPlace, values: BottleneckOptions, makeAt: MakeAt): ResidualPart {
  const tensors = tensorsAt(place, values, makeAt);
  const { isParallel, adapterResidualBeforeLn, stochasticDepth } = values;
  return {
    joins: values.originalLnAfter,
    enter(z, x, { norm }) {
      if (isParallel) return { input: x, residual: z };
      const sum = values.originalLnBefore ? add(z, x) : z;
      const input = values.originalLnBefore && norm ? norm.forward(sum) : sum;
      const { residualBeforeLn } = values;
      return { input, residual: residualBeforeLn === true ? z : residualBeforeLn === "post_add" ? sum : input };
    },
    bottleneck(input, starts) {
      const read = tensors.normBefore ? normed(input, tensors.normBefore) : input;
      const inner = activation(affine(read, tensors.down), values.nonLinearity.toLowerCase() as Activation);
      const up = affine(inner, tensors.up);
      return scaled(dropSequences(up, isParallel ? 0 : stochasticDepth, starts), tensors.scaling);
    },
    leave(output, input, residual, starts) {
      const dropped = dropout(output, values.dropout);
      const gated = tensors.gate
        ? scaleSequences(dropped, gateOf(input, tensors.gate, starts), expectStarts(starts, input))
        : dropped;
      const after = (y: Value) => (tensors.normAfter ? normed(y, tensors.normAfter) : y);
      return adapterResidualBeforeLn && !isParallel ? after(add(gated, residual)) : add(after(gated), residual);
    },
  };
}

function reductionAt(layer: number, reduction: Reduction): number {
  if (typeof reduction === "number") return reduction;
  const factor = reduction[layer] ?? reduction.default;
  if (factor !== undefined) return factor;
  throw new FormatError(`bottleneck options: "reductionFactor" has no entry for layer ${layer} and no "default"`);
}

interface Affine {
  readonly weight: Param;
  readonly bias: Param;
}
interface Tensors {
  readonly down: Affine;
  readonly up: Affine;
  readonly normBefore: Affine | null;
  readonly normAfter: Affine | null;
  readonly gate: Affine | null;
  readonly scaling: number | Param;
}

/** The epsilon of torch's nn.LayerNorm. */
const EPS = 1e-5;

function tensorsAt({ site, layer, index }: BottleneckPlace, values: BottleneckOptions, makeAt: MakeAt): Tensors {
  const make = makeAt(`${hubPlace(site)}.adapters`);
  const { width } = site;
  const inner = Math.max(1, Math.floor(width / reductionAt(layer, values.reductionFactor)));
  const affine = (path: string, shape: readonly [number, number], start: Start, bias: Start = "zeros"): Affine => ({
    weight: make.param(`${path}.weight`, shape, start),
    bias: make.param(`${path}.bias`, [shape[0]], bias),
  });
  const norm = (path: string): Affine => ({
    weight: make.param(`${path}.weight`, [width], "ones"),
    bias: make.param(`${path}.bias`, [width], "zeros"),
  });
  const starts = startsOf(values, width, index, make);
  const normBefore = values.lnBefore ? norm("adapter_norm_before") : null;
  if (normBefore) exportAgain(make, normBefore);
  return {
    normBefore,
    down: affine(`adapter_down.${normBefore ? 1 : 0}`, [inner, width], starts.down),
    up: affine("adapter_up", [width, inner], starts.up),
    scaling:
      typeof values.scaling === "number"
        ? values.scaling
        : make.param("scaling", [values.scaling === "learned" ? 1 : width], "ones"),
    normAfter: values.lnAfter ? norm("adapter_norm_after") : null,
    gate: values.useGating ? affine("gate", [1, width], starts.gate, starts.gateBias) : null,
  };
}

/** AdapterHub saves the norm before the bottleneck a second time, as the first layer of a sequence. */
function exportAgain(make: Make, norm: Affine): void {
  for (const part of ["weight", "bias"] as const) {
    make.exported(`adapter_down.0.${part}`, () => ({ shape: norm[part].shape, values: norm[part].values().slice() }));
  }
}

interface Starts {
  readonly down: Start;
  readonly up: Start;
  readonly gate: Start;
  readonly gateBias: Start;
}

/**
 * How matrices are initialized. With `initWeightsSeed`, every site starts with the same numbers, as in AdapterHub; 0
 * means none.
 */
function startsOf(
  { initWeights, initWeightsSeed }: BottleneckOptions,
  width: number,
  place: number,
  make: Make,
): Starts {
  const same = initWeightsSeed !== null && initWeightsSeed !== 0;
  const drawn = (tensor: number, draw: (random: Philox) => number): Start => {
    const stream = FIRST_STREAM + (same ? 0 : place * 3) + tensor;
    return (values) => {
      const random = new Philox(same ? Math.abs(initWeightsSeed) : make.seed, stream);
      for (let i = 0; i < values.length; i++) values[i] = draw(random);
    };
  };
  const normal = (random: Philox) => 0.02 * random.normal();
  const uniform = (random: Philox) => (2 * random.uniform() - 1) / Math.sqrt(width);
  const gate = { gate: drawn(2, normal), gateBias: "zeros" } as const;
  if (initWeights === "bert") return { down: drawn(0, normal), up: drawn(1, normal), ...gate };
  if (initWeights === "mam_adapter") return { down: drawn(0, uniform), up: "zeros", ...gate };
  const torchs = { gate: kaimingUniform(width), gateBias: kaimingUniform(width) };
  return { down: drawn(0, truncatedNormal), up: drawn(1, truncatedNormal), ...torchs };
}

/** Far from the stream numbers that `Make` uses. */
const FIRST_STREAM = 2 ** 40;

/** N(0, 0.01²) truncated at two standard deviations. */
function truncatedNormal(random: Philox): number {
  let z = random.normal();
  while (Math.abs(z) > 2) z = random.normal();
  return 0.01 * z;
}

function affine(x: Value, { weight, bias }: Affine): Value {
  return linear(x, weight, "out-in", bias);
}

function normed(x: Value, { weight, bias }: Affine): Value {
  return layerNorm(x, weight, bias, EPS);
}

function scaled(x: Value, scaling: number | Param): Value {
  if (typeof scaling === "number") return scaling === 1 ? x : scaleBy(x, scaling);
  const { tape } = x;
  const width = x.shape[1]!;
  const factors = reshape(lift(tape, scaling), [1, scaling.size]);
  return scaleColumns(x, scaling.size === width ? factors : product(factors, constantRow(tape, width, 1)));
}

/** σ(u·gᵀ + b), its mean over each sequence: [sequences, 1]. */
function gateOf(input: Value, gate: Affine, starts: Int32Array | null): Value {
  return meanRows(sigmoid(affine(input, gate)), expectStarts(starts, input));
}

/**
 * Stochastic depth (Huang et al. 2016): in training, whole sequences become zero with probability p, and the others are
 * divided by 1 − p.
 */
function dropSequences(x: Value, p: number, starts: Int32Array | null): Value {
  if (p === 0 || !x.tape.training) return x;
  const first = expectStarts(starts, x);
  return scaleSequences(x, dropout(constantColumn(x.tape, first.length - 1), p), first);
}

function constantColumn(tape: Tape, rows: number): Value {
  const column = tape.value([rows, 1]);
  tape.fill(column.ptr, rows, 1);
  return column;
}

function expectStarts(starts: Int32Array | null, { shape }: Value): Int32Array {
  if (starts?.at(-1) === shape[0]) return starts!;
  throw new UnsupportedError("useGating and stochasticDepth need the rows of each sequence, which are unknown here");
}
