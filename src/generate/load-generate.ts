import type { GenerateOptions, GenerateOutput, GenerationModel, ScoredOptions, TokenIds } from "./generate-options.ts";
import type { StreamTokenizer } from "./stream-text.ts";

/** The method `generate` of models that write: see the function. */
export interface GenerateMethod {
  (inputIds: TokenIds | readonly TokenIds[], options: ScoredOptions): Promise<GenerateOutput>;
  (inputIds: TokenIds, options?: GenerateOptions): Promise<number[]>;
  (inputIds: readonly TokenIds[], options?: GenerateOptions): Promise<number[][]>;
}

/** The method of a model. */
export function generateMethod(model: GenerationModel): GenerateMethod {
  return ((inputIds: TokenIds, options?: GenerateOptions) => generate(model, inputIds, options)) as GenerateMethod;
}

/**
 * The ids that follow `inputIds` (without them); of an encoder-decoder, the target that it writes for them (without the start
 * token). What the options leave open, the model's generation_config.json says. `model` may be a PeftModel: the adapters that are
 * active when the call begins take part, whatever is activated meanwhile, or those of `adapterNames`. Training or disposing of
 * the model in between ends the call with a StateError. Its code is loaded with the first call.
 *
 * Several prompts are written together, and each text is what its prompt alone would give, up to rounding (about 1e-5 of a logit).
 * With `numReturnSequences` each prompt has as many texts, next to each other; those that are drawn have the seeds `seed`,
 * `seed + 1`, and so on. With `outputLogProbs` the result has log-probabilities too.
 *
 * @example
 * const ids = await generate(model, tokenizer.encode("Call me"), { maxNewTokens: 50, temperature: 0 });
 * const texts = await generate(model, [[1, 5, 9], [1, 7]], { adapterNames: ["poems", "letters"] });
 * const target = await generate(t5, tokenizer.encode("summarize: ..."), { numBeams: 4 });
 */
export function generate(
  model: GenerationModel,
  inputIds: TokenIds | readonly TokenIds[],
  options: ScoredOptions,
): Promise<GenerateOutput>;
export function generate(model: GenerationModel, inputIds: TokenIds, options?: GenerateOptions): Promise<number[]>;
export function generate(
  model: GenerationModel,
  inputIds: readonly TokenIds[],
  options?: GenerateOptions,
): Promise<number[][]>;
export async function generate(
  model: GenerationModel,
  inputIds: TokenIds | readonly TokenIds[],
  options?: GenerateOptions & Partial<ScoredOptions>,
): Promise<number[] | number[][] | GenerateOutput> {
  const pinned = pinnedNow(model, options);
  const loaded = await import("./generate.ts");
  return loaded.generate(pinned, inputIds, options);
}

/**
 * The text that follows a prompt, piece by piece: each comes with its token, and other work of the program has its turn in between.
 * The prompt is a text, or ids such as those of `tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tokenize: true })`.
 * It ends at the tokenizer's stop tokens unless `eosTokenId` is given. Leaving the loop, or the `signal`, ends it at the next token;
 * the pieces so far are the text so far.
 *
 * @example
 * for await (const piece of stream(model, tokenizer, "Call me", { maxNewTokens: 50 })) process.stdout.write(piece);
 */
export async function* stream(
  model: GenerationModel,
  tokenizer: StreamTokenizer,
  prompt: string | TokenIds,
  options?: GenerateOptions,
): AsyncGenerator<string, void> {
  const pinned = pinnedNow(model, options);
  const { streamText } = await import("./stream-text.ts");
  yield* streamText(pinned, tokenizer, prompt, options);
}

/** The model with the adapters that are active now: others may become active while the code is loaded. */
function pinnedNow(model: GenerationModel, options: GenerateOptions | undefined): GenerationModel {
  if (!("base" in model) || model.pin === undefined || (options?.adapterNames ?? null) !== null) return model;
  const pinned = model.pin();
  return { base: model.base, pin: (names) => (names === undefined ? pinned : model.pin!(names)) };
}
