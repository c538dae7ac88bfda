/**
 * Bottleneck adapters (Houlsby et al. 2019; Pfeiffer et al. 2020; He et al. 2021), with the options and the files of AdapterHub's
 * `BnConfig`. At a residual connection LN(z + x), z the sub-layer's output and x the stream that went in:
 *
 *   core(u) = scaling·(f(u·Dᵀ + d)·Uᵀ + b)            D [m, d], U [d, m],   m = ⌊d / reductionFactor⌋
 *   houlsby          LN(z + core(z) + x)              after attention and after the feed-forward
 *   pfeiffer         LN(z + core(LN(z + x)) + x)      after the feed-forward
 *   parallel         LN(z + core(x) + x)              beside the feed-forward
 *
 * Models whose norms stand elsewhere have no LN here. Below the place's name and `adapters.<name>.` a file has:
 *
 *   adapter_down.0.weight [m, d], .bias [m]      adapter_up.weight [d, m], .bias [d]      scaling [1] or [d], where learned
 *   gate.weight [1, d], .bias [1]                adapter_norm_after.*, adapter_norm_before.* [d]: the latter also as
 *                                                adapter_down.0.*, where the projection is adapter_down.1.*
 */
import {
  commonOnly,
  defineMethod,
  type MethodValues,
  type ModelShape,
  type ResidualPart,
} from "../adapt/define-method.ts";
import { kaimingUniform, type Make, type MakeAt, type Start } from "../adapt/make.ts";
import { flag, type Option, oneOf, option, probability } from "../adapt/options.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { Philox } from "../core/philox.ts";
import type { Residual, SubLayer } from "../nn/residual.ts";
import { type Activation, activation, activations, sigmoid } from "../ops/activation.ts";
import { add } from "../ops/add.ts";
import { scaleColumns } from "../ops/columns.ts";
import { dropout } from "../ops/dropout.ts";
import { scaleBy } from "../ops/elementwise.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { lift, product } from "../ops/product.ts";
import { reshape } from "../ops/reshape.ts";
import { meanRows } from "../ops/rows.ts";
import { scaleSequences } from "../ops/scale-sequences.ts";
import { constantRow } from "../ops/weight-norm.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

/** Our names of the forms, and AdapterHub's. */
const forms = [
  "houlsby",
  "pfeiffer",
  "parallel",
  "scaled-parallel",
  "double_seq_bn",
  "seq_bn",
  "par_bn",
  "scaled_par_bn",
] as const;

/** What a field is when it is not given. */
interface Defaults {
  readonly mhAdapter: boolean;
  readonly outputAdapter: boolean;
  readonly reductionFactor: Reduction;
  readonly nonLinearity: string;
  readonly originalLnBefore: boolean;
  readonly isParallel: boolean;
  readonly initWeights: "bert" | "mam_adapter" | "houlsby";
  readonly scaling: Scaling;
}
/** A factor, or factors by layer number, with "default" for the rest. */
type Reduction = number | Readonly<Record<string, number>>;
type Scaling = number | "learned" | "channel";

const sequential = {
  outputAdapter: true,
  reductionFactor: 16,
  isParallel: false,
  initWeights: "bert",
  scaling: 1,
} as const;
const houlsby: Defaults = { ...sequential, mhAdapter: true, nonLinearity: "swish", originalLnBefore: false };
const pfeiffer: Defaults = { ...sequential, mhAdapter: false, nonLinearity: "relu", originalLnBefore: true };
const parallel: Defaults = {
  ...{ mhAdapter: false, outputAdapter: true, reductionFactor: 2, nonLinearity: "relu", originalLnBefore: false },
  ...{ isParallel: true, initWeights: "mam_adapter", scaling: 4 },
};
const scaledParallel: Defaults = { ...parallel, scaling: "learned" };
const defaults: Readonly<Record<(typeof forms)[number], Defaults>> = {
  ...{ houlsby, pfeiffer, parallel, "scaled-parallel": scaledParallel },
  ...{ double_seq_bn: houlsby, seq_bn: pfeiffer, par_bn: parallel, scaled_par_bn: scaledParallel },
};

const isPositive = (value: unknown) => typeof value === "number" && value > 0 && Number.isFinite(value);
const isReduction = (value: unknown) =>
  isPositive(value) ||
  (typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isPositive));
const isScaling = (value: unknown) =>
  (typeof value === "number" && Number.isFinite(value)) || value === "learned" || value === "channel";
const isLayers = (value: unknown) => Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** An option that the form decides where it is null. */
function byForm<T>(expected: string, is: (value: unknown) => boolean): Option<T | null> {
  return option<T | null>(null, `${expected}, or null for what the form has`, (value) => value === null || is(value));
}
const switchByForm = () => byForm<boolean>("true or false", (value) => typeof value === "boolean");

const options = {
  form: oneOf(forms, "pfeiffer"),
  mhAdapter: switchByForm(),
  outputAdapter: switchByForm(),
  crossAdapter: flag(false),
  reductionFactor: byForm<Reduction>('a number above 0, or such by layer number and "default"', isReduction),
  nonLinearity: byForm<Activation>(activations.join(", "), (value) =>
    activations.includes(String(value).toLowerCase() as Activation),
  ),
  originalLnBefore: switchByForm(),
  originalLnAfter: flag(true),
  lnBefore: flag(false),
  lnAfter: flag(false),
  initWeights: byForm<Defaults["initWeights"]>('"bert", "mam_adapter" or "houlsby"', (value) =>
    ["bert", "mam_adapter", "houlsby"].includes(value as string),
  ),
  initWeightsSeed: option<number | null>(null, "a whole number or null", (v) => v === null || Number.isSafeInteger(v)),
  isParallel: switchByForm(),
  scaling: byForm<Scaling>('a number, "learned" or "channel"', isScaling),
  useGating: flag(false),
  residualBeforeLn: option<boolean | "post_add">(
    true,
    'true, false or "post_add"',
    (value) => typeof value === "boolean" || value === "post_add",
  ),
  adapterResidualBeforeLn: flag(false),
  leaveOut: option<readonly number[]>([], "a list of layer numbers", isLayers),
  dropout: probability(0),
  stochasticDepth: probability(0),
};

type Values = MethodValues<typeof options>;
/** With what the form decides filled in. */
type Settled = Omit<Values, keyof Defaults> & Defaults;

/**
 * Small networks with a skip connection, put behind or beside the sub-layers.
 *
 * @example
 * const model = getPeftModel(base, bottleneck({ form: "houlsby", reductionFactor: 8 }));
 */
export const bottleneck = defineMethod({
  peftType: "BOTTLENECK",
  about: {
    title: "Bottleneck adapters",
    paper:
      "Houlsby et al. 2019, arXiv:1902.00751; Pfeiffer et al. 2020, arXiv:2005.00247; He et al. 2021, arXiv:2110.04366",
    equation: "z ← z + scaling·f(u·Dᵀ + d)·Uᵀ + b, with u = z (houlsby), LN(z + x) (pfeiffer) or x (parallel)",
    when: "To stack, fuse or average adapters of several tasks, or to share files with AdapterHub. It cannot be merged, so it costs a little at inference.",
    learningRate: 1e-3,
  },
  options,
  common: commonOnly("taskType", "baseModelNameOrPath"),
  keyPrefix: "",
  format: "adapterhub",
  targets: null,
  settle: settled,
  sites(model, values, make) {
    const filled = settled(values) as Settled;
    const places = placesOf(model, filled);
    if (places.length === 0) throw new FormatError("bottleneck options: no layer of this model gets an adapter");
    return { residual: new Map(places.map(({ site, layer }, i) => [site, partAt(site, layer, i, filled, make)])) };
  },
});

/** The options with the form's own for those not given. */
function settled(values: Values): Values {
  const own = defaults[values.form];
  const filled = Object.entries(own).map(([name, value]) => [name, values[name as keyof Defaults] ?? value]);
  return { ...values, ...Object.fromEntries(filled) };
}

interface PlacedSite {
  readonly site: Residual;
  /** AdapterHub's number: those of a decoder go on from the encoder's. */
  readonly layer: number;
}

function placesOf({ sites }: ModelShape, values: Settled): PlacedSite[] {
  const wanted: Record<SubLayer, boolean> = {
    attention: values.mhAdapter,
    "cross-attention": values.crossAdapter,
    "feed-forward": values.outputAdapter,
  };
  const placed: PlacedSite[] = [];
  let [before, last] = [0, 0];
  for (const site of sites) {
    if (site.kind !== "residual") continue;
    if (site.layer < last) before += last + 1; // the next stack begins
    last = site.layer;
    placed.push({ site, layer: before + site.layer });
  }
  return placed.filter(({ site, layer }) => wanted[site.subLayer] && !values.leaveOut.includes(layer));
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

function tensorsAt(site: Residual, layer: number, place: number, values: Settled, makeAt: MakeAt): Tensors {
  const make = makeAt(`${site.name}.adapters`);
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
  const starts = startsOf(values, width, place, make);
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

/** AdapterHub has the norm before the bottleneck a second time, as the first layer of a sequence. */
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

/** How matrices begin. With `initWeightsSeed` every place begins with the same numbers, as in AdapterHub: 0 counts as none. */
function startsOf({ initWeights, initWeightsSeed }: Settled, width: number, place: number, make: Make): Starts {
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

/** Far from the streams that `Make` counts. */
const FIRST_STREAM = 2 ** 40;

/** N(0, 0.01²) cut at two standard deviations. */
function truncatedNormal(random: Philox): number {
  let z = random.normal();
  while (Math.abs(z) > 2) z = random.normal();
  return 0.01 * z;
}

function partAt(site: Residual, layer: number, place: number, values: Settled, makeAt: MakeAt): ResidualPart {
  const tensors = tensorsAt(site, layer, place, values, makeAt);
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

/** Stochastic depth (Huang et al. 2016): in training, zero for whole sequences with probability p, the others divided by 1 − p. */
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
  throw new UnsupportedError(
    "useGating and stochasticDepth need to know which rows belong to one sequence, which is not known here",
  );
}
