/** Options shared by several benchmark commands. */
import { flag, oneOf, wholeOrNull } from "../../dist/core/options.js";
import { activationDtypes } from "../../dist/tape/tape.js";
import { shapes } from "../shapes.js";

/** Names of the decoder-only shapes. */
export const decoders = Object.keys(shapes).filter((name) => !["mt5", "bert"].includes(shapes[name].config.model_type));

export const benchOptions = {
  tokens: wholeOrNull(2, { help: "tokens per sequence (default: those of the shape)", placeholder: "t" }),
  batch: wholeOrNull(1, { help: "sequences per step (default: those of the shape)", placeholder: "b" }),
  weights: oneOf(["f32", "bf16", "f16", "int8", "nf4"], "f32", "dtype of the frozen weights"),
  activations: oneOf(activationDtypes, "f32", "dtype of what the backward pass keeps of the forward pass"),
  json: flag(false, "print one JSON object"),
};

/** --shape, one of some networks. */
export function shapeOption(names) {
  return oneOf(names, names[0], { help: "sizes of a real network", required: true });
}
