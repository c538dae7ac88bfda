/** Models that write, with the method `generate`. */
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import { type GenerateMethod, generateMethod } from "./load-generate.ts";

/** A decoder-only language model that writes, created by `AutoModelForCausalLM`. */
export class GenerativeCausalLM extends CausalLM {
  /**
   * Continues prompts: see the function `generate`.
   *
   * @example
   * const ids = await model.generate(tokenizer.encode("Call me"), { maxNewTokens: 50 });
   */
  readonly generate: GenerateMethod = generateMethod(this);
}

/** An encoder-decoder that writes, created by `AutoModelForSeq2SeqLM`. */
export class GenerativeSeq2SeqLM extends Seq2SeqLM {
  /**
   * Writes targets for sources: see the function `generate`.
   *
   * @example
   * const target = await t5.generate(tokenizer.encode("summarize: ..."), { numBeams: 4 });
   */
  readonly generate: GenerateMethod = generateMethod(this);
}
