/** What a caller gives is checked when the program runs: JavaScript has no types. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { type GenerateOptions, generate } from "../../src/generate/generate.ts";
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
  [{ adapterNames: ["a", "b"] }, '"adapterNames" is ["a","b"], expected a list of one name'],
  [{ adapterNames: ["a"] }, '"adapterNames" is given, but the model has no adapters'],
  [{ stopStrings: "" }, '"stopStrings" is "", expected a string or a list of strings'],
  [{ stopStrings: "x" }, 'stop strings ["x"] need the tokenizer'],
  [{ maxLength: 3 }, 'the prompt has 4 tokens, and "maxLength" (max_length) is 3'],
  [{ suppressTokens: Array.from({ length: 53 }, (_, id) => id) }, "forbid every token at token 1"],
])("%j is refused", async (options, message) => {
  await expect(generate(model, prompt, options as GenerateOptions)).rejects.toThrow(message);
});

test.each([
  ["Call me", "the prompt is a string, expected a list of token ids: such as tokenizer.encode(text)"],
  [{ inputIds: prompt }, "the prompt is an object, expected a list of token ids: give its inputIds"],
  [[3, 1.5], "the prompt has 1.5, expected token ids"],
  [[[3]], "the prompt has [3], expected token ids"],
  [[3, 4294967301], "the prompt has 4294967301, expected token ids: whole numbers from 0 to 52"],
  [[3, 53], "the prompt has 53, expected token ids: whole numbers from 0 to 52"],
  [[3, undefined], "the prompt has undefined, expected token ids"],
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
