/** What `generate` of transformers writes under each setting of generation_config.json, greedy and by beams, and what its filters keep. */
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import { settingsOf } from "../../src/generate/generation-config.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { samplingFilters } from "../../src/generate/processors-of.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { GOLDEN, readCase } from "../golden-files.ts";

interface Case {
  readonly model: string;
  readonly task: "CAUSAL_LM" | "SEQ_2_SEQ_LM";
  readonly runs: readonly { name: string; config: RawConfig; source: readonly number[]; ids: readonly number[] }[];
}

describe.each(["llama", "t5"])("%s", (name) => {
  const { model: folder, task, runs } = readCase<Case>(`generation-config/${name}`);
  const Auto = task === "CAUSAL_LM" ? AutoModelForCausalLM : AutoModelForSeq2SeqLM;

  test("every setting gives the same ids", async () => {
    using model = await Auto.fromPretrained(`${GOLDEN}/${folder}`);
    expect(runs.length).toBeGreaterThan(80);
    const wrong: unknown[] = [];
    for (const { name, config, source, ids } of runs) {
      model.generationConfig = config;
      const got = await generate(model, source);
      if (got.join() !== ids.join()) wrong.push({ name, config, source, got: got.join(), want: ids.join() });
    }
    expect(wrong).toEqual([]);
  });
});

test("filters keep what transformers keeps, and its scores", () => {
  const { cases } = readCase<{ cases: { config: RawConfig; scores: number[]; kept: (number | null)[] }[] }>(
    "generation-config/filters",
  );
  expect(cases.length).toBeGreaterThan(10);
  for (const { config, scores, kept } of cases) {
    const got = Float32Array.from(scores);
    const settings = settingsOf({ generationConfig: config, config: {} }, {});
    expect(settings.doSample).toBe(true);
    for (const filter of samplingFilters(settings)) filter([], got);
    const what = JSON.stringify(config);
    expect(
      Array.from(got, (score) => score > Number.NEGATIVE_INFINITY),
      what,
    ).toEqual(kept.map((score) => score !== null));
    kept.forEach((score, id) => {
      if (score !== null) expect(Math.abs(got[id]! - score), `${what}: ${id}`).toBeLessThan(1e-5);
    });
  }
});
