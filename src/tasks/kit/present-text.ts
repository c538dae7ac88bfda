import { generate } from "../../generate/load-generate.ts";
import type { Presenting } from "./define-task.ts";
import type { Example } from "./example.ts";

/** The text that the model writes, always the likeliest next token. */
export async function presentText({ model, tokenizer: load, maxNewTokens }: Presenting) {
  const tokenizer = await load();
  const options = { maxNewTokens, temperature: 0, eosTokenId: tokenizer.stopTokenIds };
  return async ({ inputIds }: Example) => ({
    text: tokenizer.decode(await generate(model, [...inputIds], options), { skipSpecialTokens: true }),
  });
}
