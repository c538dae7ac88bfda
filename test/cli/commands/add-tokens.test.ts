import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AutoTokenizer } from "../../../src/text/auto-tokenizer.ts";
import { succeed } from "../bed.ts";
import { at, dtypes, work } from "./golden-models.ts";

test("add-tokens writes a folder whose tokenizer and embedding have the new tokens", async () => {
  writeFileSync(at("llama/added_tokens.json"), '{ "</s>": 2 }');
  const tokens = "<tool>,<end>,</s>";
  const args = ["--add-tokens", tokens, "--special", "--pad-to-multiple-of", "8", "--output", "more"];
  const said = await succeed(work, "add-tokens", "--model", "llama", ...args);
  expect(said).toContain("<tool> 97, <end> 98, </s> 2; the embedding has 104 rows");
  const tokenizer = await AutoTokenizer.fromPretrained(at("more"));
  expect(tokenizer.vocabSize).toBe(99);
  expect(tokenizer.encode("a<tool>b<end>", { addSpecialTokens: false })).toEqual([68, 97, 69, 98]);
  expect(tokenizer.decode([68, 97, 69, 98], { skipSpecialTokens: true })).toBe("ab");
  const config = JSON.parse(readFileSync(at("more/config.json"), "utf8"));
  expect(config.vocab_size).toBe(104);
  expect(JSON.parse(readFileSync(at("more/added_tokens.json"), "utf8"))).toEqual({
    "</s>": 2,
    "<tool>": 97,
    "<end>": 98,
  });
  const named = JSON.parse(readFileSync(at("more/tokenizer_config.json"), "utf8")).added_tokens_decoder;
  expect(named["97"]).toMatchObject({ content: "<tool>", special: true, normalized: false });
  expect(await dtypes("more")).toEqual(await dtypes("llama"));
  await succeed(work, "generate", "--model", "more", "--prompt", "a<tool>", "--max-new-tokens", "2", "--json");
});
