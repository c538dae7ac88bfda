import { expect, test } from "vitest";
import { AutoModelForSeq2SeqLM } from "../../src/auto/auto-model.ts";
import { generate } from "../../src/generate/generate.ts";
import { golden, readCase, readTensors } from "../golden-files.ts";
import type { Tape, Value } from "../../src/tape/tape.ts";

function constant(tape: Tape, data: Float32Array, shape: number[]): Value {
  const v = tape.value(shape); const p = tape.upload(data); tape.copy(v.ptr, p, data.byteLength); return v;
}
test.each(["prompt", "prefix"])("%s", async (kind) => {
  const folder = `generation/mt5-${kind}-tuning`;
  const given = readCase<any>(folder);
  const t = (await readTensors(`${folder}/adapter_model.safetensors`)).get("prompt_embeddings")!;
  using base = await AutoModelForSeq2SeqLM.fromPretrained(`${golden}/generation/mt5`);
  const n = given.options.num_virtual_tokens;
  const d = base.config.d_model as number;
  const w = t.length / n;
  base.virtual = {
    promptLength: (s) => (kind === "prompt" && s === "encoder" ? n : 0),
    prefixLength: (s) => (kind === "prefix" && s === "decoder" ? n : 0),
    begin: (tape) => ({
      prompt: () => kind === "prompt" ? constant(tape, t.slice(0, n * d), [n, d]) : null,
      prefix: (layer) => {
        if (kind === "prompt") return null;
        const cut = (i: number) => Float32Array.from({length: n * d}, (_, j) => t[Math.floor(j / d) * w + i * d + j % d]!);
        return { k: constant(tape, cut(2*layer), [n, d]), v: constant(tape, cut(2*layer+1), [n, d]) };
      },
    }),
  };
  for (const run of given.runs) for (const [i, s] of given.sources.entries())
    expect(await generate(base, s, run.options.num_beams === 1 ? { maxNewTokens: 12, temperature: 0 } : { maxNewTokens: 12, numBeams: 3 }), run.name + i).toEqual(run.results[i].ids);
});
