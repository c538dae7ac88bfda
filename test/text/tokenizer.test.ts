import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { pocket, pocketFolder, pocketWith, storiesFolder } from "./pretrained.ts";

interface Golden {
  text: string;
  ids: number[];
  plain: number[];
  decoded: string;
  skipped: string;
}
const golden = JSON.parse(readFileSync(new URL("golden/tokenizers.json", import.meta.url), "utf8"));

function expectGolden(tokenizer: Tokenizer, rows: Golden[]): void {
  for (const { text, ids, plain, decoded, skipped } of rows) {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(plain);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("the pocket tokenizer gives transformers' tokens and texts", () => {
  expectGolden(pocket, golden.pocket);
});

describe.skipIf(storiesFolder === null)("stories260K", () => {
  test("gives transformers' tokens and texts", async () => {
    expectGolden(await AutoTokenizer.fromPretrained(storiesFolder!), golden.stories260K);
  });

  test("takes its special tokens from its own files", async () => {
    const stories = await AutoTokenizer.fromPretrained(storiesFolder!);
    expect([stories.bosTokenId, stories.eosTokenId, stories.padTokenId]).toEqual([1, 2, null]);
    expect(stories.vocabSize).toBe(512);
    expect(stories.stopTokenIds).toEqual([2]);
  });

  test("a Llama tokenizer puts <s> and </s> where its configuration says, whatever tokenizer.json says", async () => {
    const read = async (name: string) => JSON.parse(new TextDecoder().decode(await storiesFolder!.read(name)));
    const config = { ...(await read("tokenizer_config.json")), add_bos_token: false, add_eos_token: true };
    const files = {
      "tokenizer.json": await storiesFolder!.read("tokenizer.json"),
      "tokenizer_config.json": bytes(JSON.stringify(config)),
    };
    const changed = await AutoTokenizer.fromPretrained(mapSource(files));
    expect(changed.encode("Once")).toEqual([...changed.encode("Once", { addSpecialTokens: false }), 2]);
  });
});

test("every text comes back from the pocket tokenizer unchanged", () => {
  for (const text of ["", " ", "a  b\t\r\n", "👩‍👩‍👧 \u0000 \ufeff é", "'s 't «»", "x".repeat(300)]) {
    expect(pocket.decode(pocket.encode(text), { skipSpecialTokens: true })).toBe(text);
  }
});

test("special tokens are named by text, as text or object, and else by number in the model's files", () => {
  const named = (config: object, ...fallbacks: object[]) => {
    const { bosTokenId, eosTokenId, padTokenId } = pocketWith({ config, fallbacks } as never);
    return [bosTokenId, eosTokenId, padTokenId];
  };
  expect(named({})).toEqual([0, 1, null]);
  expect(named({ bos_token: { content: "</s>" }, eos_token: null }, { eos_token: "<s>" })).toEqual([1, 0, null]);
  expect(named({ bos_token: null, eos_token: null }, {}, { eos_token_id: [7, 9], pad_token_id: -1 })).toEqual([
    null,
    7,
    null,
  ]);
});

test("generation stops at every end that generation_config.json names, or else config.json", () => {
  expect(pocketWith({ fallbacks: [{ eos_token_id: [7, 1] }, { eos_token_id: 9 }] }).stopTokenIds).toEqual([1, 7]);
  expect(pocketWith({ fallbacks: [{}, { eos_token_id: 9 }] }).stopTokenIds).toEqual([1, 9]);
});

test("numbers beyond the vocabulary have no text", () => {
  expect(pocket.vocabSize).toBe(1024);
  expect(pocket.decode([...pocket.encode("whale"), 5000, -3])).toBe("<s>whale");
  expect(pocket.decode([])).toBe("");
});

test("a folder without tokenizer.json is refused with the way to make one", async () => {
  const reading = AutoTokenizer.fromPretrained(mapSource({ "tokenizer.model": bytes("") }, "folder x"));
  await expect(reading).rejects.toThrow(UnsupportedError);
  await expect(reading).rejects.toThrow(/folder x has no "tokenizer.json".*save_pretrained/);
});

test("a damaged tokenizer.json is named", async () => {
  const whole = await pocketFolder.read("tokenizer.json");
  for (const [content, said] of [
    [whole.subarray(0, 5000), /"tokenizer.json" in folder x/],
    [bytes("[]"), /should hold a JSON object/],
    [bytes("{}"), /"tokenizer.json" in folder x does not make a tokenizer/],
    [bytes('{"model": {"type": "WordLevel", "vocab": {"a": 1e9}, "unk_token": "a"}}'), /vocab\["a"\] is 1000000000/],
  ] as const) {
    const reading = AutoTokenizer.fromPretrained(mapSource({ "tokenizer.json": content }, "folder x"));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(said);
  }
});

test("a tokenizer.json that asks for what is not done here is refused by name", async () => {
  const refused = { "tokenizer.json": bytes('{"model": {"type": "Telepathy"}}') };
  const reading = AutoTokenizer.fromPretrained(mapSource(refused, "folder x"));
  await expect(reading).rejects.toThrow(UnsupportedError);
  await expect(reading).rejects.toThrow(/"tokenizer.json" in folder x does not make a tokenizer: .*"Telepathy"/);
});

test("a span of text is labeled token by token, one that it shares included", () => {
  const { inputIds, labels } = pocket.encodeSpans("Call me Ishmael", [{ start: 5, end: 7 }], {
    addSpecialTokens: false,
  });
  const learnt = labels.filter((label) => label !== -100);
  expect(pocket.decode(learnt)).toBe(" me");
  expect(inputIds).toEqual(pocket.encode("Call me Ishmael", { addSpecialTokens: false }));
});
