/** The public pretrained model beside the project: real weights, a real tokenizer, a published text. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { openSource } from "../../src/checkpoint/open.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { engineBuilds } from "../kernels/bed.ts";

const folder = new URL("../../../shared/models/stories260K", import.meta.url).pathname;
const there = existsSync(folder);
if (!there) console.warn("SKIPPED: shared/models/stories260K is not beside the project");

for (const build of engineBuilds) {
  test.skipIf(!there)(`stories260K (${build}) writes the published text, 200 greedy tokens`, async () => {
    using engine = await createEngine({ build });
    using model = await AutoModelForCausalLM.fromPretrained(folder, { engine });
    const tokenizer = await AutoTokenizer.fromPretrained(openSource(folder));
    const ids = await generate(model, [1], { maxNewTokens: 200, temperature: 0, eosTokenId: null });
    const readme = readFileSync(`${folder}/README.md`, "utf8");
    const published = [...readme.matchAll(/^> ?(.*)$/gm)].map(([, line]) => line).join("\n");
    expect(ids).toHaveLength(200);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true }).trim()).toBe(published.trim());
  });
}
