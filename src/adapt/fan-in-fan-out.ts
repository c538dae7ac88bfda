/** The option `fanInFanOut` of several methods, which says that weights are stored [in, out], as in GPT-2. */
import type { Module } from "../nn/weights.ts";

/** What `fanInFanOut` must be for these layers. Layers know how they are stored; what is saved should be true of them. */
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
      `fanInFanOut is set to ${settled}, since "${layer.name}" stores its weight as ${settled ? "[in, out]" : "[out, in]"}`,
    );
  }
  return { fanInFanOut: settled };
}
