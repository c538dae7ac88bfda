/**
 * Bottleneck adapters (Houlsby et al. 2019; Pfeiffer et al. 2020; He et al. 2021), with the options and the files of AdapterHub's
 * `BnConfig`. At a residual connection LN(z + x), z the sub-layer's output and x the stream that went in:
 *
 *   core(u) = scaling·(f(u·Dᵀ + d)·Uᵀ + b)            D [m, d], U [d, m],   m = ⌊d / reductionFactor⌋
 *   houlsby          LN(z + core(z) + x)              after attention and after the feed-forward
 *   pfeiffer         LN(z + core(LN(z + x)) + x)      after the feed-forward
 *   parallel         LN(z + core(x) + x)              parallel to the feed-forward
 *
 * Models with norms elsewhere have no LN here. Below the place's name and `adapters.<name>.` a file has:
 *
 *   adapter_down.0.weight [m, d], .bias [m]      adapter_up.weight [d, m], .bias [d]      scaling [1] or [d], where learned
 *   gate.weight [1, d], .bias [1]                adapter_norm_after.*, adapter_norm_before.* [d]: the latter also as
 *                                                adapter_down.0.*, where the projection is adapter_down.1.*
 */
import {
  type BottleneckOptions,
  type BottleneckPlace,
  bottleneckPart,
  type Reduction,
  type Scaling,
} from "../adapt/method/bottleneck-part.ts";
import { commonOnly, defineMethod, type MethodValues, type ModelShape } from "../adapt/method/define-method.ts";
import { probability } from "../adapt/method/options.ts";
import { FormatError } from "../core/errors.ts";
import { flag, type Option, oneOf, option, orNull, wholeOrNull } from "../core/options.ts";
import type { SubLayer } from "../nn/layers/residual.ts";
import { type Activation, activations } from "../ops/pointwise/activation.ts";

/** Lorikeet's names of the forms, and AdapterHub's. */
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

/** The default of a field. */
type Defaults = { readonly mhAdapter: boolean; readonly outputAdapter: boolean } & Pick<
  BottleneckOptions,
  "reductionFactor" | "nonLinearity" | "originalLnBefore" | "isParallel" | "initWeights" | "scaling"
>;

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

/** A switch that the form determines if it is null. */
function switchByForm(help: string): Option<boolean | null> {
  return orNull(flag(false, `${help} (default: set by the form)`));
}

const inits = ["bert", "mam_adapter", "houlsby"] as const;

const options = {
  form: oneOf(forms, "pfeiffer", "where adapters are placed and what they read"),
  mhAdapter: switchByForm("an adapter after every self-attention"),
  outputAdapter: switchByForm("an adapter at every feed-forward"),
  crossAdapter: flag(false, "an adapter after every cross-attention"),
  reductionFactor: orNull(
    option<Reduction>(
      1,
      'a number above 0, or an object of such numbers by layer number and "default"',
      isReduction,
      "the model's width divided by the bottleneck's (default: set by the form)",
    ),
  ),
  nonLinearity: orNull(
    option<Activation>(
      "relu",
      `one of ${activations.join(", ")}`,
      (value) => activations.includes(String(value).toLowerCase() as Activation),
      "the activation inside the bottleneck (default: set by the form)",
    ),
  ),
  originalLnBefore: switchByForm("add the residual stream, and apply the model's norm there, before the adapter"),
  originalLnAfter: flag(true, "add the residual stream, and apply the model's norm there, after the adapter"),
  lnBefore: flag(false, "add a norm before the bottleneck"),
  lnAfter: flag(false, "add a norm after the bottleneck"),
  initWeights: orNull(oneOf(inits, "bert", "how the matrices are initialized (default: set by the form)")),
  initWeightsSeed: wholeOrNull({}, "a seed that initializes every adapter the same"),
  isParallel: switchByForm("read the residual stream instead of the sub-layer's output"),
  scaling: orNull(
    option<Scaling>(
      1,
      'a number, "learned" or "channel"',
      isScaling,
      "factor of the output (default: set by the form)",
    ),
  ),
  useGating: flag(false, "multiply by a learned gate, one number per sequence"),
  residualBeforeLn: option<boolean | "post_add">(
    true,
    'true, false or "post_add"',
    (value) => typeof value === "boolean" || value === "post_add",
    "whether the adapter's own residual is taken before the model's norm",
  ),
  adapterResidualBeforeLn: flag(false, "whether the adapter's own residual is added before its own norm"),
  leaveOut: option<readonly number[]>([], "a list of layer numbers", isLayers, "layers without adapters"),
  dropout: probability(0, "dropout of the output"),
  stochasticDepth: probability(0, "probability of skipping the adapter for a whole sequence in training"),
};

type Values = MethodValues<typeof options>;
/** With the form's values filled in. */
type Settled = Omit<Values, keyof Defaults> & Defaults;

/**
 * Small networks with a skip connection, after or parallel to the sub-layers.
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
    when: "For stacking, fusing or averaging adapters of several tasks, or for exchanging files with AdapterHub. It cannot be merged, so it adds a small cost at inference.",
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
    return { residual: new Map(places.map((place) => [place.site, bottleneckPart(place, filled, make)])) };
  },
});

/** The options, with the form's own values for omitted ones. */
function settled(values: Values): Values {
  const own = defaults[values.form];
  const filled = Object.entries(own).map(([name, value]) => [name, values[name as keyof Defaults] ?? value]);
  return { ...values, ...Object.fromEntries(filled) };
}

/** The positions of adapters. AdapterHub continues the numbering of the encoder's layers in the decoder. */
function placesOf({ sites }: ModelShape, values: Settled): BottleneckPlace[] {
  const wanted: Record<SubLayer, boolean> = {
    attention: values.mhAdapter,
    "cross-attention": values.crossAdapter,
    "feed-forward": values.outputAdapter,
  };
  const places: BottleneckPlace[] = [];
  let [stack, first, last] = ["", 0, -1];
  for (const site of sites) {
    if (site.kind !== "residual") continue;
    const own = /(^|\.)(encoder|decoder)\./.exec(site.name)?.[2] ?? "";
    if (own !== stack) [stack, first] = [own, last + 1];
    last = first + site.layer;
    if (!wanted[site.subLayer] || values.leaveOut.includes(last)) continue;
    places.push({ site, layer: last, index: places.length });
  }
  return places;
}
