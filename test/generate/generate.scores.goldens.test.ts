/** What `generate` of transformers returns besides one text: several texts of beam search, and log-probabilities of tokens. */
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import type { GenerateOptions } from "../../src/generate/generate-options.ts";
import type { LogitsProcessor } from "../../src/generate/processors/logits-processor.ts";
import { cases, GOLDEN, readCase } from "../golden-files.ts";

interface Text {
  readonly ids: readonly number[];
  readonly raw: readonly number[];
  readonly processed: readonly number[];
  readonly score?: number;
}

interface Case {
  readonly model: string;
  readonly task: "CAUSAL_LM" | "SEQ_2_SEQ_LM";
  readonly sources: readonly (readonly number[])[];
  readonly runs: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, number | boolean>>;
    readonly results: readonly (readonly Text[])[];
  }[];
}

/** The processor of test/parity/generation_scores.py. */
const own: LogitsProcessor = (ids, scores) => {
  if (ids.length % 2 === 1) for (let id = 0; id < scores.length; id += 2) scores[id]! -= 1.5;
  scores[5]! *= 0.5;
};

function optionsOf({ own: isOwn, ...options }: Case["runs"][number]["options"]): GenerateOptions {
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));
  return { ...named, ...(isOwn && { logitsProcessor: [own] }), maxNewTokens: 9, doSample: false };
}

const near = (got: readonly number[], want: readonly number[]) =>
  Math.max(...want.map((value, i) => Math.abs(value - got[i]!)));

describe.each(cases("generation-scores"))("%s", (name) => {
  const { model: folder, task, sources, runs } = readCase<Case>(`generation-scores/${name}`);
  const Auto = task === "CAUSAL_LM" ? AutoModelForCausalLM : AutoModelForSeq2SeqLM;

  test.each(runs)("$name: texts, scores and log-probabilities, all sources in one batch", async (run) => {
    using model = await Auto.fromPretrained(`${GOLDEN}/${folder}`);
    const want = run.results.flat();
    for (const outputLogProbs of ["raw", "processed"] as const) {
      const got = await model.generate(sources, { ...optionsOf(run.options), outputLogProbs });
      expect(got.sequences).toEqual(want.map(({ ids }) => ids));
      got.logProbs.forEach((logProbs, i) => {
        expect(logProbs).toHaveLength(want[i]!.ids.length);
        expect(near(logProbs, want[i]![outputLogProbs]), `${outputLogProbs} of text ${i}`).toBeLessThan(1e-4);
      });
      const scores = want.flatMap(({ score }) => score ?? []);
      if (scores.length === 0) expect(got.sequencesScores).toBeNull();
      else expect(near(got.sequencesScores!, scores)).toBeLessThan(1e-4);
    }
  });
});
