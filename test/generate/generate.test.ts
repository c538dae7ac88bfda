/** Laws of writing, whatever the model: what is kept changes nothing, and a search that is wide enough finds the best. */
import { describe, expect, test } from "vitest";
import {
  AutoModelForCausalLM,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
} from "../../src/auto/auto-classes.ts";
import { Decoding, type Writer } from "../../src/generate/decoding.ts";
import { generate } from "../../src/generate/load-generate.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { concatenate, concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { tinyConfigs, tinyEncoderDecoders } from "../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const [mt5] = Object.values(tinyEncoderDecoders.mt5!) as [RawConfig];
const small = { vocab_size: 7, eos_token_id: null };

const prompt = [3, 5, 2, 6];
const writers: readonly { name: string; open: (config?: RawConfig) => Promise<Writer> }[] = [
  { name: "llama", open: (config) => AutoModelForCausalLM.fromConfig({ ...llama, ...config }, { seed: 5 }) },
  { name: "mt5", open: (config) => AutoModelForSeq2SeqLM.fromConfig({ ...mt5, ...config }, { seed: 5 }) },
];

/** Logits [V] of the token after `made`, computed from nothing. */
function lastLogits(model: Writer, made: readonly number[]): number[] {
  const logits =
    model instanceof CausalLM
      ? model.forward(concatenate([[...prompt, ...made]])).data
      : model.forward(concatenateLabelled([{ inputIds: prompt, labels: [...made, 0] }])).data;
  return Array.from(logits.slice(-model.vocabSize));
}

/** Log-probabilities [V] of the token after `made`. */
function logProbabilities(model: Writer, made: readonly number[]): number[] {
  const logits = lastLogits(model, made);
  const total = Math.log(logits.reduce((sum, l) => sum + Math.exp(l), 0));
  return logits.map((l) => l - total);
}

describe.each(writers)("$name", ({ open }) => {
  test("greedy writing is the largest logit each time, computed from nothing", async () => {
    using model = await open();
    const want: number[] = [];
    while (want.length < 10) {
      const logits = lastLogits(model, want);
      want.push(logits.indexOf(Math.max(...logits)));
    }
    const ids = await generate(model, prompt, { maxNewTokens: 10, temperature: 0, eosTokenId: null });
    expect(ids).toEqual(want);
  });

  test("after a reordering each sequence goes on as its parent would", async () => {
    using model = await open();
    using decoding = new Decoding(model, [{ inputIds: prompt, room: 6 }], { sequences: 3 });
    const first = decoding.begin(0);
    expect(Math.max(...lastLogits(model, []).map((l, i) => Math.abs(l - first[i]!)))).toBeLessThan(2e-5);
    let made: number[][] = [[], [], []];
    for (const [parents, ids] of [
      [
        [0, 1, 2],
        [4, 5, 6],
      ],
      [
        [2, 0, 0],
        [1, 2, 3],
      ],
      [
        [1, 1, 1],
        [4, 1, 5],
      ],
      [
        [2, 1, 0],
        [6, 6, 2],
      ],
    ] as const) {
      decoding.reorder(parents);
      const logits = decoding.step(ids);
      made = parents.map((parent, s) => [...made[parent]!, ids[s]!]);
      const want = made.flatMap((each) => lastLogits(model, each));
      expect(Math.max(...want.map((l, i) => Math.abs(l - logits[i]!)))).toBeLessThan(2e-5);
    }
  });

  test("as many beams as tokens find the best of all sequences of two", async () => {
    using model = await open(small);
    const scores = logProbabilities(model, []).flatMap((first, a) =>
      logProbabilities(model, [a]).map((second, b) => ({ ids: [a, b], score: (first + second) / 2 })),
    );
    const best = scores.reduce((x, y) => (y.score > x.score ? y : x));
    const options = { maxNewTokens: 2, numBeams: 7, outputLogProbs: "raw" } as const;
    const { sequences, sequencesScores, logProbs } = await generate(model, prompt, options);
    expect(sequences).toEqual([best.ids]);
    expect(Math.abs(sequencesScores![0]! - best.score)).toBeLessThan(1e-5);
    expect(Math.abs((logProbs[0]![0]! + logProbs[0]![1]!) / 2 - best.score)).toBeLessThan(1e-5);
  });

  test("beams are told of at the end, and the same as are returned", async () => {
    using model = await open();
    const told: number[] = [];
    const options = { maxNewTokens: 6, numBeams: 3, eosTokenId: null, onToken: (id: number) => void told.push(id) };
    const ids = await generate(model, prompt, options);
    expect(ids).toHaveLength(6);
    expect(told).toEqual(ids);
  });

  test("the config's end token ends the text and is part of it; null lets it go on", async () => {
    using plain = await open();
    const options = { maxNewTokens: 8, temperature: 0 };
    const whole = await generate(plain, prompt, { ...options, eosTokenId: null });
    const end = whole[2]!;
    using model = await open({ eos_token_id: end });
    const ids = await generate(model, prompt, options);
    expect(ids).toEqual(whole.slice(0, whole.indexOf(end) + 1));
    expect(await generate(model, prompt, { ...options, eosTokenId: null })).toEqual(whole);
  });

  test("a signal ends the search, and what there is so far is returned; one that is aborted already, before it begins", async () => {
    using model = await open();
    const stop = new AbortController();
    let steps = 0;
    const logitsProcessor = [() => void (++steps === 6 && stop.abort())];
    const options = { maxNewTokens: 30, numBeams: 2, eosTokenId: null, signal: stop.signal, logitsProcessor };
    expect(await generate(model, prompt, options)).toHaveLength(3);
    expect(await generate(model, prompt, options)).toEqual([]);
    expect(steps).toBe(6);
  });

  test("everything that writing took is given back, also when it fails", async () => {
    using model = await open();
    await generate(model, prompt, { maxNewTokens: 9, numBeams: 3, eosTokenId: null });
    await generate(model, prompt, { maxNewTokens: 9, temperature: 0, eosTokenId: null });
    const before = model.engine.memory.usedBytes;
    await generate(model, prompt, { maxNewTokens: 9, numBeams: 3, eosTokenId: null });
    await expect(generate(model, [3, 999], { maxNewTokens: 9 })).rejects.toThrow("the prompt has id 999");
    expect(model.engine.memory.usedBytes).toBe(before);
  });

  test("what beam search cannot do is refused", async () => {
    using model = await open(small);
    for (const numBeams of [0, 1.5, 8]) {
      await expect(generate(model, prompt, { numBeams })).rejects.toThrow(
        `"numBeams" is ${numBeams}, expected a whole number`,
      );
    }
    await expect(generate(model, [], { numBeams: 2 })).rejects.toThrow("the prompt has no tokens");
  });
});

test("a model that writes no text names the classes that do", async () => {
  using base = await AutoModelForSequenceClassification.fromConfig(llama);
  await expect(generate({ base }, prompt)).rejects.toThrow(
    "LlamaForSequenceClassification cannot generate text; load the model with AutoModelForCausalLM or AutoModelForSeq2SeqLM",
  );
});
