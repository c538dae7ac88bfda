import type { Model } from "../nn/tasks/model.ts";
import type { GenerateOptions } from "./generate.ts";

/**
 * The ids that follow `inputIds` (without them); of an encoder-decoder, the target that it writes for them (without the start
 * token). `model` may be a PeftModel: its active adapters take part. Its code is loaded with the first call.
 *
 * @example
 * const ids = await generate(model, tokenizer.encode("Call me"), { maxNewTokens: 50, temperature: 0 });
 * const target = await generate(t5, tokenizer.encode("summarize: ..."), { numBeams: 4 });
 */
export async function generate(
  model: Model | { readonly base: Model },
  inputIds: readonly number[],
  options?: GenerateOptions,
): Promise<number[]> {
  const loaded = await import("./generate.ts");
  return loaded.generate(model, inputIds, options);
}
