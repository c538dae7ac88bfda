/**
 * LLaMA-Adapter (Zhang et al. 2023, eq. 3-5): in the upper layers, attention to a trained prompt P in addition to the
 * text, scaled by a gate g that starts at zero.
 *
 *   adaption_prompt [1, n, hidden]   adaption_gate [1]
 *   y += (g · softmax(q·Kₚᵀ / √headDim)·Vₚ)·W_Oᵀ,   Kₚ = P·W_Kᵀ,  Vₚ = P·W_Vᵀ      q rotated, Kₚ not
 *
 * With the layer's own projections, and their biases: one in W_O is added a second time, as in PEFT. On GPT-2 the term is added
 * without W_O. PEFT knows the method for Llama, Mistral and GPT-2; Qwen's attention has the same parts.
 */
import {
  commonOnly,
  defineMethod,
  type MethodValues,
  type ModelShape,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import { headsOf } from "../adapt/method/head-modules.ts";
import { sizeOrNull } from "../adapt/method/options.ts";
import type { Make, MakeAt } from "../adapt/method/tensor-maker.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { text } from "../core/options.ts";
import type { Attention, AttentionDelta } from "../nn/layers/attention.ts";
import type { Module } from "../nn/layers/weights.ts";
import { attention, type Heads } from "../ops/attention/attention.ts";
import { scaleColumns } from "../ops/layout/columns.ts";
import { lift, product } from "../ops/linear/product.ts";
import { constantRow } from "../ops/linear/weight-norm.ts";
import { add } from "../ops/pointwise/add.ts";
import type { Value } from "../tape/tape.ts";

const options = {
  targetModules: text("name of the attention modules"),
  adapterLen: sizeOrNull("number of prompt rows"),
  adapterLayers: sizeOrNull("number of layers with a prompt, counted from the top"),
};

type Values = Omit<MethodValues<typeof options>, "targetModules"> & { readonly targetModules: string | null };

/**
 * Gated attention to a trained prompt in the upper layers.
 *
 * @example
 * const model = getPeftModel(base, adaptionPrompt({ adapterLen: 10, adapterLayers: 30 }));
 */
export const adaptionPrompt = defineMethod({
  peftType: "ADAPTION_PROMPT",
  about: {
    title: "LLaMA-Adapter (adaption prompts)",
    paper: "Zhang et al. 2023, arXiv:2303.16199",
    equation: "y += (g · softmax(q·Kₚᵀ / √d)·Vₚ)·W_Oᵀ",
    when: "For instruction tuning with very few parameters. Unlike prefixes, it starts without any change and uses no positions.",
    learningRate: 5e-3,
    example: { adapterLen: 10, adapterLayers: 12 },
  },
  common: commonOnly("taskType", "baseModelNameOrPath", "revision"),
  targets: null,
  options,
  check({ adapterLen, adapterLayers }, spell) {
    if (adapterLen !== null && adapterLayers !== null) return null;
    return `"${spell("adapterLen")}" and "${spell("adapterLayers")}" must both be set: rows of the prompt, and layers from the top`;
  },
  settle: ({ targetModules }, _layers, _warn, model) => ({ targetModules: targetModules ?? attentionName(model) }),
  sites: (model, values, make) => sites(model, values as Values, make),
});

function attentionName({ modelType, traits, targets }: ModelShape): string {
  const name = targets.attention;
  if (name === undefined) throw new UnsupportedError(`adaption_prompt is for decoders, not for "${modelType}"`);
  if (headsOf(traits).length === 0) return name;
  throw new UnsupportedError(`adaption_prompt cannot save a trained head, which ${traits.name} needs`);
}

function sites(model: ModelShape, { targetModules, adapterLen, adapterLayers }: Values, make: MakeAt): SiteParts {
  attentionName(model);
  const all = model.sites.filter((site) => site.kind === "attention");
  const found = all.filter(({ name }) => name.endsWith(`.${targetModules}`));
  if (found.length < adapterLayers!)
    throw new FormatError(
      `"adapterLayers" is ${adapterLayers}, but the model has ${found.length} attention modules called "${targetModules}"`,
    );
  const upper = found.slice(found.length - adapterLayers!);
  return { attention: new Map(upper.map((site) => [site, gatedPrompt(site, adapterLen!, model, make(site.name))])) };
}

/** Keys and values of the prompt, [n, ...] each. */
type Project = (prompt: Value) => readonly [Heads, Heads];

function gatedPrompt(site: Attention, length: number, model: ModelShape, make: Make): AttentionDelta {
  const { out, shape } = site;
  const width = out.outFeatures;
  const prompt = make.param("adaption_prompt", [1, length, width], { normal: 1 });
  const gate = make.param("adaption_gate", [1], "zeros");
  const joint = model.layers.get(`${site.name}.c_attn`);
  const project = joint ? fromJoint(joint, width) : fromSeparate(site, model);
  const ownShape = { ...shape, scale: 1 / Math.sqrt(shape.headDim), causal: false, window: 0 };
  return {
    forward(y, q, pass) {
      const { tape } = y;
      const queries = y.shape[0]!;
      const lengths = [[queries, length] as const];
      const segments = Object.assign(tape.ids(Int32Array.of(0, queries, 0, length)), { count: 1, lengths });
      const [k, v] = project(lift(tape, prompt, [length, width]));
      const attended = attention(q, k, v, ownShape, segments);
      const gates = product(lift(tape, gate, [1, 1]), constantRow(tape, attended.shape[1]!, 1));
      const gated = scaleColumns(attended, gates);
      return add(y, joint ? gated : out.forward(gated, pass));
    },
  };
}

/** GPT-2: queries, keys and values in one. */
function fromJoint(layer: Module, width: number): Project {
  if (layer.kind !== "linear") throw new UnsupportedError(`"${layer.name}" is not a linear layer`);
  return (prompt) => {
    const value = layer.forward(prompt, null);
    return [
      { value, column: width },
      { value, column: 2 * width },
    ];
  };
}

function fromSeparate({ name }: Attention, { layers }: ModelShape): Project {
  const [k, v] = ["k_proj", "v_proj"].map((part) => layers.get(`${name}.${part}`));
  if (k?.kind !== "linear" || v?.kind !== "linear")
    throw new UnsupportedError(`"${name}" has no linear "k_proj" and "v_proj" for the prompt`);
  const norm = layers.get(`${name}.k_norm`);
  return (prompt) => {
    const keys = k.forward(prompt, null);
    return [
      { value: norm?.kind === "norm" ? norm.forward(keys) : keys, column: 0 },
      { value: v.forward(prompt, null), column: 0 },
    ];
  };
}
