import { expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import type { GenerateOptions } from "../../../src/generate/generate-options.ts";
import type { RawConfig } from "../../../src/nn/config.ts";
import { tinyConfigs } from "../../models/tiny.ts";
import { pocket } from "../../text/pretrained.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const open = () =>
  AutoModelForCausalLM.fromConfig({ ...llama, vocab_size: 1024, max_position_embeddings: 512 }, { seed: 5 });
const jsonSchema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 6 },
    kind: { enum: ["whale", "boat"] },
    sizes: { type: "array", items: { type: "integer", minimum: 0, maximum: 99 }, maxItems: 2 },
  },
  required: ["name", "kind", "sizes"],
} as const;
const prompt = pocket.encode("Call me");

test.each<[string, GenerateOptions, number]>([
  ["greedy", { temperature: 0 }, 1],
  ["drawn, some at once", { temperature: 1.5, seed: 11, numReturnSequences: 4 }, 4],
  ["by beams", { numBeams: 3, doSample: false, numReturnSequences: 2 }, 2],
])("a model that knows nothing writes JSON of the schema: %s", async (_, options, count) => {
  using model = await open();
  const all = { maxNewTokens: 150, eosTokenId: pocket.stopTokenIds, tokenizer: pocket, jsonSchema, ...options };
  const texts = await model.generate([prompt, prompt.slice(0, 2)], all);
  expect(texts).toHaveLength(2 * count);
  for (const ids of texts) {
    expect(ids.length).toBeLessThan(150);
    const found = JSON.parse(pocket.decode([...prompt, ...ids]).slice(pocket.decode(prompt).length));
    expect(Object.keys(found)).toEqual(["name", "kind", "sizes"]);
    expect([...found.name].length).toBeLessThanOrEqual(6);
    expect(["whale", "boat"]).toContain(found.kind);
    for (const size of found.sizes) expect(size === Math.trunc(size) && size >= 0 && size <= 99).toBe(true);
  }
});

test("text that may go on ends with a stop token, which is allowed only where the JSON is whole", async () => {
  using model = await open();
  const [eosTokenId] = pocket.stopTokenIds;
  const options = { maxNewTokens: 40, temperature: 1, seed: 3, eosTokenId: eosTokenId!, tokenizer: pocket };
  const favor = (_: readonly number[], scores: Float32Array) => {
    scores[eosTokenId!]! += 100;
  };
  const ids = await model.generate(prompt, { ...options, jsonSchema: { type: "integer" }, logitsProcessor: [favor] });
  expect(ids.at(-1)).toBe(eosTokenId);
  expect(ids.length).toBeGreaterThan(1);
  expect(pocket.decode(ids.slice(0, -1)).trim()).toMatch(/^-?\d+$/);
});
