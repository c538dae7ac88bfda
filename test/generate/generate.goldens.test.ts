/** What `generate` of transformers writes, greedy and by beams, with and without adapters of PEFT. */
import { describe, expect, test } from "vitest";
import { PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import type { Writer } from "../../src/generate/decoding.ts";
import type { GenerateOptions } from "../../src/generate/generate-options.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { cases, GOLDEN, readCase } from "../golden-files.ts";
import { builds } from "../ops/gradients.ts";

interface Options {
  readonly max_new_tokens: number;
  readonly num_beams: number;
  readonly length_penalty?: number;
  readonly early_stopping?: boolean;
}

interface Case {
  /** The base of an adapter. */
  readonly model?: string;
  readonly task: "CAUSAL_LM" | "SEQ_2_SEQ_LM";
  readonly sources: readonly (readonly number[])[];
  readonly runs: readonly {
    readonly name: string;
    readonly options: Options;
    readonly results: readonly { readonly ids: readonly number[]; readonly score?: number }[];
  }[];
}

const optionsOf = (o: Options): GenerateOptions =>
  o.num_beams === 1
    ? { maxNewTokens: o.max_new_tokens, temperature: 0 }
    : {
        maxNewTokens: o.max_new_tokens,
        numBeams: o.num_beams,
        lengthPenalty: o.length_penalty!,
        earlyStopping: o.early_stopping!,
      };

async function load(name: string, { model = `generation/${name}`, task }: Case, engine: Engine): Promise<Writer> {
  const Auto = task === "CAUSAL_LM" ? AutoModelForCausalLM : AutoModelForSeq2SeqLM;
  return Auto.fromPretrained(`${GOLDEN}/${model}`, { engine });
}

for (const build of builds) {
  describe.each(cases("generation"))(`%s, ${build}`, (name) => {
    const given = readCase<Case>(`generation/${name}`);

    test.each(given.runs)("$name: the ids, and the score of the best beam", async ({ options, results }) => {
      using engine = await createEngine({ build });
      using base = await load(name, given, engine);
      const model = given.model ? await PeftModel.fromPretrained(base, `${GOLDEN}/generation/${name}`) : base;
      for (const [i, source] of given.sources.entries()) {
        const { ids, score } = results[i]!;
        expect(await generate(model, source, optionsOf(options)), `source ${i}`).toEqual(ids);
        if (score === undefined) continue;
        const scored = { ...optionsOf(options), outputLogProbs: "raw" } as const;
        const [found] = (await generate(base, source, scored)).sequencesScores!;
        expect(Math.abs(found! - score), `source ${i}: score ${found} for ${score}`).toBeLessThan(1e-4);
      }
    });
  });
}
