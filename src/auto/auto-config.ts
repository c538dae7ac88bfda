/** A model's config.json. The code that knows the model types is loaded on first use. */
import type { SourceLike } from "../checkpoint/open.ts";
import type { RawConfig } from "../nn/config.ts";

/** Reads configs, by the name transformers gives this. */
export const AutoConfig = {
  /**
   * The parsed config.json of a model folder, or of a model by its hub name, as published: `AutoModelFor….fromConfig` takes it. Throws
   * FormatError when there is none, UnsupportedError for a `model_type` that this version does not know.
   *
   * @example
   * const config = await AutoConfig.fromPretrained("models/stories260K");
   * const model = await AutoModelForCausalLM.fromConfig({ ...config, num_hidden_layers: 1 });
   */
  async fromPretrained(from: SourceLike): Promise<RawConfig> {
    const { loadConfig } = await import("./auto-model.ts");
    return loadConfig(from);
  },
};
