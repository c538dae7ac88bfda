/**
 * Layers whose weight is stored [in, out], as in GPT-2: the option `fanInFanOut`, and methods that do not support such
 * layers.
 */
import { UnsupportedError } from "../../core/errors.ts";
import { flag, type Option } from "../../core/options.ts";
import type { Module } from "../../nn/layers/weights.ts";

/** PEFT's `fan_in_fan_out`, for methods that have it. */
export const fanInFanOut: Option<boolean> = flag(false, {
  help: "whether weights are stored as [in, out]",
  filledIn: true,
});

/** The correct `fanInFanOut` for these layers: layers know their storage order, and the saved value must match it. */
export function settledFanInFanOut(
  given: boolean,
  layers: readonly Module[],
  warn: (message: string) => void,
): { fanInFanOut: boolean } {
  let settled = given;
  for (const layer of layers) {
    if (layer.kind !== "linear" || settled === (layer.stored === "in-out")) continue;
    settled = layer.stored === "in-out";
    warn(
      `fanInFanOut is set to ${settled} because "${layer.name}" stores its weight as ${settled ? "[in, out]" : "[out, in]"}`,
    );
  }
  return { fanInFanOut: settled };
}

/**
 * Throws UnsupportedError if a layer stores its weight as [in, out], which PEFT's class of this method does not
 * support.
 */
export function refuseConv1D(peftType: string, layers: readonly Module[]): void {
  const foreign = layers.filter((layer) => layer.kind === "linear" && layer.stored === "in-out");
  if (foreign.length === 0) return;
  const names = foreign.slice(0, 3).map(({ name }) => `"${name}"`);
  throw new UnsupportedError(
    `${peftType} does not adapt layers whose weight is stored [in, out] (GPT-2's Conv1D), nor does PEFT: found ` +
      `${names.join(", ")} among the targets; choose another method for them`,
  );
}
