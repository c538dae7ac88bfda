/** Which of several words about generation counts, and what no one can follow. */
import { describe, expect, test } from "vitest";
import { type GenerationSource, settingsOf } from "../../src/generate/generation-config.ts";

const of = (generationConfig: GenerationSource["generationConfig"], config: GenerationSource["config"] = {}) => ({
  generationConfig,
  config,
});

describe("precedence", () => {
  test("an option goes before the file, the file before the default", () => {
    const source = of({ repetition_penalty: 1.3, no_repeat_ngram_size: 4, max_new_tokens: 9 });
    expect(settingsOf(source, { repetitionPenalty: 2 })).toMatchObject({
      ...{ repetitionPenalty: 2, noRepeatNgramSize: 4, maxNewTokens: 9, lengthPenalty: 1 },
    });
  });

  test("config.json's generation keys count where there is no generation_config.json", () => {
    const config = { num_beams: 4, no_repeat_ngram_size: 3, eos_token_id: 7 };
    expect(settingsOf(of(null, config), {})).toMatchObject({ numBeams: 4, noRepeatNgramSize: 3, doSample: false });
    expect(settingsOf(of({}, config), {})).toMatchObject({ numBeams: 1, noRepeatNgramSize: 0 });
  });

  test("the end of generation_config.json goes before config.json's; without one that stays", () => {
    const config = { eos_token_id: 7 };
    const ends = (...args: Parameters<typeof settingsOf>) => [...settingsOf(...args).stops];
    expect(ends(of({ eos_token_id: [3, 4] }, config), {})).toEqual([3, 4]);
    expect(ends(of({}, config), {})).toEqual([7]);
    expect(ends(of({ eos_token_id: [3, 4] }, config), { eosTokenId: 5 })).toEqual([5]);
    expect(ends(of({ eos_token_id: [3, 4] }, config), { eosTokenId: null })).toEqual([]);
  });

  test("a file that does not say do_sample is greedy, as in transformers; without a file tokens are drawn", () => {
    expect(settingsOf(of({}), {}).doSample).toBe(false);
    expect(settingsOf(of(null), {}).doSample).toBe(true);
    expect(settingsOf(of({}), { temperature: 0.8 }).doSample).toBe(true);
    expect(settingsOf(of({}), { topP: 0.8 }).doSample).toBe(true);
    expect(settingsOf(of({ do_sample: true }), { temperature: 0 }).doSample).toBe(false);
    expect(settingsOf(of({ do_sample: true }), { doSample: false }).doSample).toBe(false);
  });

  test("a file that draws keeps 50 tokens unless it says another number; null and 0 keep all", () => {
    const topK = (file: object, given = {}) => settingsOf(of({ do_sample: true, ...file }), given).topK;
    expect([topK({}), topK({ top_k: 7 }), topK({ top_k: 0 }), topK({ top_k: null })]).toEqual([50, 7, 0, 0]);
    expect(topK({}, { topK: 3 })).toBe(3);
    expect(settingsOf(of(null), {}).topK).toBe(0);
  });

  test("lengths: new tokens go before tokens in all, the caller's before the file's", () => {
    const lengths = (file: object, given = {}) => {
      const { maxNewTokens, maxLength, countsNew } = settingsOf(of(file as never), given);
      return countsNew ? maxNewTokens : { maxLength };
    };
    expect(lengths({})).toBe(128);
    expect(lengths({ max_length: 50 })).toEqual({ maxLength: 50 });
    expect(lengths({ max_length: 20 })).toBe(20);
    expect(lengths({ max_length: 50, max_new_tokens: 6 })).toBe(6);
    expect(lengths({ max_new_tokens: 6 }, { maxLength: 40 })).toEqual({ maxLength: 40 });
    expect(lengths({ max_length: 50 }, { maxNewTokens: 8 })).toBe(8);
  });

  test("followGenerationConfig: false asks neither file", () => {
    const source = of({ repetition_penalty: 1.3, guidance_scale: 3 }, { num_beams: 4, eos_token_id: 7 });
    const settings = settingsOf(source, { followGenerationConfig: false });
    expect(settings).toMatchObject({ repetitionPenalty: 1, numBeams: 1, doSample: true });
    expect([...settings.stops]).toEqual([7]);
  });
});

describe("what is refused", () => {
  test("keys that would change the text and have no equal here are named, unless their values change nothing", () => {
    const refused = () => settingsOf(of({ guidance_scale: 1.5, penalty_alpha: 0.6, max_time: 3 }), {});
    expect(refused).toThrow('"guidance_scale" is 1.5, which is not supported, expected 1 or null');
    expect(refused).toThrow('"penalty_alpha" is 0.6');
    expect(refused).toThrow('"max_time" is 3');
    expect(refused).toThrow("followGenerationConfig: false (--no-generation-config)");
    const neutral = { guidance_scale: 1, num_beam_groups: 1, diversity_penalty: 0, token_healing: false };
    expect(settingsOf(of({ ...neutral, constraints: null, use_cache: false, _from_model_config: true }), {}).topP).toBe(
      1,
    );
  });

  test("a value that a key cannot have is named with its file", () => {
    expect(() => settingsOf(of({ top_p: 95 }), {})).toThrow(
      'generation_config.json: "top_p" is 95, expected a number from 0 to 1',
    );
    expect(() => settingsOf(of(null, { no_repeat_ngram_size: "x" }), {})).toThrow(
      'config.json: "no_repeat_ngram_size" is "x"',
    );
  });

  test("drawing and beams together draw beams, as in transformers; greedy and sampling contradict each other", () => {
    expect(settingsOf(of({ do_sample: true, num_beams: 3 }), {})).toMatchObject({ numBeams: 3, doSample: true });
    expect(settingsOf(of({}), { numBeams: 2, temperature: 0.7 })).toMatchObject({ numBeams: 2, doSample: true });
    expect(settingsOf(of({ do_sample: true }), { numBeams: 2 })).toMatchObject({ numBeams: 2, doSample: true });
    expect(settingsOf(of(null), { numBeams: 2 })).toMatchObject({ numBeams: 2, doSample: false });
    expect(() => settingsOf(of({}), { doSample: true, temperature: 0 })).toThrow("give only one of them");
  });
});
