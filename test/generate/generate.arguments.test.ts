/** What a caller gives is checked when the program runs: JavaScript has no types. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import type { GenerateOptions } from "../../src/generate/generate-options.ts";
import { generate } from "../../src/generate/load-generate.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { tinyConfigs } from "../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const prompt = [3, 5, 2, 6];
let model: CausalLM;
beforeAll(async () => {
  model = await AutoModelForCausalLM.fromConfig({ ...llama, eos_token_id: null }, { seed: 5 });
});
afterAll(() => model.dispose());

test.each([
  [{ max_new_tokens: 5 }, '"max_new_tokens" is not an option. Did you mean "maxNewTokens" or'],
  [{ temperature: -1 }, '"temperature" is -1, expected a number of at least 0'],
  [{ topP: 95 }, '"topP" is 95, expected a number from 0 to 1'],
  [{ maxNewTokens: "5" }, '"maxNewTokens" is "5", expected a whole number of at least 1'],
  [{ eosTokenId: "</s>" }, '"eosTokenId" is "</s>", expected a token id or a list of them or null'],
  [{ onToken: 3 }, '"onToken" is 3, expected a function'],
  [{ signal: {} }, '"signal" is {}, expected an AbortSignal'],
  [{ logitsProcessor: [3] }, '"logitsProcessor" is [3], expected a list of functions'],
  [{ adapterNames: ["a", "b"] }, '"adapterNames" has 2 names for 1 prompt, expected one for each prompt'],
  [{ adapterNames: "a" }, '"adapterNames" is "a", expected a list of names, one for each prompt'],
  [{ prefixCache: {} }, '"prefixCache" is {}, expected a PrefixCache'],
  [{ outputLogProbs: true }, '"outputLogProbs" is true, expected one of raw, processed'],
  [{ numReturnSequences: 2 }, "one prompt gives one text; give the prompt in a list, [ids]"],
  [{ numReturnSequences: 2, temperature: 0 }, "the likeliest token is taken each time, which gives one text"],
  [{ numReturnSequences: 3, numBeams: 2 }, '"numReturnSequences" is 3, expected at most "numBeams", which is 2'],
  [{ doSample: false, topP: 0.5 }, '"topP" is 0.5 and "doSample" is false: only sampling has it'],
  [{ lengthPenalty: 2 }, '"lengthPenalty" is 2 and "numBeams" is 1: only beam search has it'],
  [{ maxNewTokens: 3, maxLength: 9 }, '"maxNewTokens" is 3 and "maxLength" is 9: both limit the text'],
  [{ maxNewTokens: 3, minNewTokens: 4 }, '"minNewTokens" is 4, expected at most "maxNewTokens", which is 3'],
  [{ jsonSchema: 3 }, '"jsonSchema" is 3, expected a JSON schema: an object'],
  [{ jsonSchema: {} }, '"jsonSchema" needs the tokenizer; give it as the option "tokenizer"'],
  [{ adapterNames: ["a"] }, '"adapterNames" is given, but the model has no adapters'],
  [{ stopStrings: "" }, '"stopStrings" is "", expected a string or a list of strings'],
  [{ stopStrings: "x" }, 'stop strings ["x"] need the tokenizer'],
  [{ maxLength: 3 }, 'the prompt has 4 tokens, and "maxLength" (max_length) is 3'],
  [{ suppressTokens: Array.from({ length: 53 }, (_, id) => id) }, "forbid every token at token 1"],
])("%j is refused", async (options, message) => {
  await expect(generate(model, prompt, options as GenerateOptions)).rejects.toThrow(message);
});

test.each([
  [
    "Call me",
    "the prompt is a string, expected a list of token ids, such as tokenizer.encode(text), or a list of such lists",
  ],
  [{ inputIds: prompt }, "or a list of such lists: give its inputIds"],
  [[3, 1.5], "the prompt has 1.5 at position 1, expected token ids"],
  [[3, Number.NaN], "the prompt has NaN at position 1, expected token ids"],
  [[-1], "the prompt has -1 at position 0"],
  [[3, 53], "the prompt has id 53 at position 1, expected ids from 0 to 52"],
  [[3, 4294967301], "the prompt has id 4294967301 at position 1, expected ids from 0 to 52"],
  [[3, undefined], "the prompt has undefined at position 1, expected token ids"],
  [[[3], [3, 99]], "prompt 1 has id 99 at position 1"],
  [[[3], []], "prompt 1 has no tokens"],
  [[3, [3]], "the prompt has [3] at position 1"],
  [null, "the prompt is null"],
])("the prompt %j is refused", async (ids, message) => {
  await expect(generate(model, ids as never)).rejects.toThrow(message);
});

describe("what a caller gives besides numbers", () => {
  test("functions change the scores, and see all ids so far", async () => {
    const seen: number[][] = [];
    const only = (ids: readonly number[], scores: Float32Array) => {
      seen.push([...ids]);
      scores.fill(Number.NEGATIVE_INFINITY);
      scores[10 + ids.length] = 0;
    };
    for (const numBeams of [1, 2]) {
      const options = { maxNewTokens: 3, doSample: false, numBeams, logitsProcessor: [only] };
      expect(await generate(model, prompt, options)).toEqual([14, 15, 16]);
    }
    expect(seen).toContainEqual([...prompt, 14, 15]);
  });

  test("a stop string ends the text with the token that completes it, greedy and in beams", async () => {
    const tokenizer = { decode: (ids: Iterable<number>) => Array.from(ids, (id) => `<${id}>`).join("") };
    const whole = await generate(model, prompt, { maxNewTokens: 8, temperature: 0 });
    const stopStrings = [`${whole[3]!}><${whole[4]!}`];
    const at = whole.findIndex((id, i) => id === whole[4] && whole[i - 1] === whole[3]);
    const found = await generate(model, prompt, { maxNewTokens: 8, temperature: 0, stopStrings, tokenizer });
    expect(found).toEqual(whole.slice(0, at + 1));
    const beams = await generate(model, prompt, {
      maxNewTokens: 8,
      numBeams: 1,
      doSample: false,
      stopStrings,
      tokenizer,
    });
    expect(beams).toEqual(found);
  });

  test("a signal ends the text at the next token", async () => {
    const stop = new AbortController();
    const made: number[] = [];
    setTimeout(() => stop.abort(), 0);
    const onToken = (id: number) => void (made.push(id) === 3 && setImmediate(() => stop.abort()));
    const ids = await generate(model, prompt, { maxNewTokens: 25, temperature: 0, signal: stop.signal, onToken });
    expect(ids).toEqual(made);
    expect(ids.length).toBeLessThan(6);
  });
});
