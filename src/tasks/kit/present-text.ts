import { IGNORED } from "../../core/labels.ts";
import { generate } from "../../generate/load-generate.ts";
import type { Presenting } from "./define-task.ts";
import type { Example } from "./example.ts";

/**
 * The text that the model writes, never drawn, and beside it what the row says it should be. Otherwise the model's
 * generation_config.json is followed.
 */
export async function presentText({ model, tokenizer: load, maxNewTokens }: Presenting) {
  const tokenizer = await load();
  const options = { maxNewTokens, doSample: false, eosTokenId: tokenizer.stopTokenIds, tokenizer };
  const decode = (ids: Iterable<number>) => tokenizer.decode(ids, { skipSpecialTokens: true });
  return async ({ inputIds, labels, reference }: Example) => {
    const text = decode(await generate(model, [...inputIds], options));
    const answer = [...labels].filter((label) => label !== IGNORED);
    const expected = reference ?? (answer.length > 0 ? decode(answer) : undefined);
    return { text, ...(expected !== undefined && { reference: expected }) };
  };
}
