/** Passes that keep to the adapters a call began with. */
import { StateError } from "../core/errors.ts";
import type { RunPass, Writer } from "./decoding.ts";
import type { GenerationModel, PinnedPass } from "./generate-options.ts";

/**
 * Runs passes with the adapters that are active now, or with those of each prompt. Throws StateError once the model is no longer as
 * it was at the beginning.
 */
export function pinned(
  model: GenerationModel,
  writer: Writer,
  adapterNames: readonly string[] | undefined,
): PinnedPass {
  const pin = "base" in model ? model.pin?.bind(model) : undefined;
  if (adapterNames !== undefined && pin === undefined) {
    throw new StateError(`generate: "adapterNames" is given, but the model has no adapters`);
  }
  const { adapterChanges } = writer;
  const base: PinnedPass = { run: (pass) => pass({}), acting: () => ["base", adapterChanges] };
  const { run: inner, acting } = pin?.(adapterNames) ?? base;
  const params = [...writer.namedWeights().values()].filter((weight) => weight.kind === "param");
  const updates = () => params.reduce((sum, param) => sum + param.updates, 0);
  const before = updates();
  const run: RunPass = (pass, prompts) => {
    if (pin === undefined && writer.adapterChanges !== adapterChanges) {
      throw new StateError(
        "generate: other adapters became active on the model while it generated; give generate the PeftModel, which keeps to its own",
      );
    }
    if (writer.disposed) throw new StateError("generate: the model was disposed of while it generated");
    if (updates() === before) return inner(pass, prompts);
    throw new StateError("generate: the model was trained while it generated; generate before training or after it");
  };
  return { run, acting: (prompt) => [...acting(prompt), writer.vocabSize, before] };
}
