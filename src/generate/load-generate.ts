import type { GenerateOptions, GenerationModel } from "./generate.ts";

/**
 * The ids that follow `inputIds` (without them); of an encoder-decoder, the target that it writes for them (without the start
 * token). `model` may be a PeftModel: its active adapters take part. Its code is loaded with the first call.
 *
 * @example
 * const ids = await generate(model, tokenizer.encode("Call me"), { maxNewTokens: 50, temperature: 0 });
 * const target = await generate(t5, tokenizer.encode("summarize: ..."), { numBeams: 4 });
 */
export async function generate(
  model: GenerationModel,
  inputIds: readonly number[],
  options?: GenerateOptions,
): Promise<number[]> {
  const loaded = await import("./generate.ts");
  return loaded.generate(model, inputIds, options);
}
