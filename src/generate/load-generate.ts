import type { GenerateOptions, GenerationModel } from "./generate.ts";
import type { StreamTokenizer } from "./stream-text.ts";

/**
 * The ids that follow `inputIds` (without them); of an encoder-decoder, the target that it writes for them (without the start
 * token). What the options leave open, the model's generation_config.json says. `model` may be a PeftModel: the adapters that are
 * active when the call begins take part, whatever is activated meanwhile, or the one of `adapterNames`. Training or disposing of
 * the model in between ends the call with a StateError. Its code is loaded with the first call.
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
  const pinned = pinnedNow(model, options);
  const loaded = await import("./generate.ts");
  return loaded.generate(pinned, inputIds, options);
}

/**
 * The text that follows a prompt, piece by piece. The prompt is a text, or ids such as those of
 * `tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tokenize: true })`. It ends at the tokenizer's stop tokens
 * unless `eosTokenId` is given. Leaving the loop, or the `signal`, ends it at the next token.
 *
 * @example
 * for await (const piece of stream(model, tokenizer, "Call me", { maxNewTokens: 50 })) process.stdout.write(piece);
 */
export async function* stream(
  model: GenerationModel,
  tokenizer: StreamTokenizer,
  prompt: string | readonly number[],
  options?: GenerateOptions,
): AsyncGenerator<string, void> {
  const pinned = pinnedNow(model, options);
  const { streamText } = await import("./stream-text.ts");
  yield* streamText(pinned, tokenizer, prompt, options);
}

/** The model with the adapters that are active now: others may become active while the code is loaded. */
function pinnedNow(model: GenerationModel, options: GenerateOptions | undefined): GenerationModel {
  if (!("base" in model) || model.pin === undefined || options?.adapterNames !== undefined) return model;
  const run = model.pin();
  return { base: model.base, pin: (names) => (names === undefined ? run : model.pin!(names)) };
}
