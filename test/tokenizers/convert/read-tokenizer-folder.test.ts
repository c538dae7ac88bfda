/** What a folder may and may not hold, and what an error says about it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mapSource } from "../../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { readTokenizerFolder } from "../../../src/tokenizers/convert/read-tokenizer-folder.ts";
import { readSentencePieceModel } from "../../../src/tokenizers/convert/sentencepiece-model.ts";
import { GOLDEN } from "../../golden-files.ts";

const golden = (path: string) => readFileSync(`${GOLDEN}/tokenizer-folders/${path}`) as Uint8Array;
const bytes = (content: string | object) =>
  new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
const model = golden("slow-Llama/tokenizer.model");
const json = golden("fast-PreTrained/tokenizer.json");

/** Reads files as a folder of the class. */
const read = (files: Record<string, Uint8Array>, config: object = {}) =>
  readTokenizerFolder(mapSource({ ...files, "tokenizer_config.json": bytes(config) }, 'folder "x"'));

test.each([
  ["fast_tokenizer_files", ["tokenizer.4.0.0.json"]],
  ["fix_mistral_regex", true],
])("the setting %s is refused by name", async (key, value) => {
  await expect(read({ "tokenizer.json": json }, { [key]: value })).rejects.toThrow(new RegExp(`"${key}".*not honored`));
  await expect(read({ "tokenizer.json": json }, { [key]: false })).resolves.toBeDefined();
});

test("an unknown class is refused with the known ones and the way out", async () => {
  const reading = read({ "tokenizer.json": json }, { tokenizer_class: "ByT5Tokenizer" });
  await expect(reading).rejects.toThrow(UnsupportedError);
  await expect(reading).rejects.toThrow(
    /ByT5Tokenizer.*LlamaTokenizerFast.*"tokenizer_class" in tokenizer_config.json/,
  );
});

test("names of objects' own members are no classes", async () => {
  for (const name of ["constructor", "__proto__", "toString"]) {
    await expect(read({ "tokenizer.json": json }, { tokenizer_class: name })).rejects.toThrow(UnsupportedError);
  }
});

test("missing vocabulary files are named", async () => {
  await expect(read({}, { tokenizer_class: "RobertaTokenizer" })).rejects.toThrow(/no "vocab.json" and "merges.txt"/);
  await expect(read({}, { tokenizer_class: "T5Tokenizer" })).rejects.toThrow(/no "spiece.model"/);
});

test("tiktoken files are recognized, and refused with the command that converts them", async () => {
  const ranks = bytes("IQ== 0\nIg== 1\nIw== 2\n");
  const reading = read({ "tokenizer.model": ranks }, { tokenizer_class: "LlamaTokenizer" });
  await expect(reading).rejects.toThrow(/tiktoken.*python -c ".*from_pretrained\('x'\)\.save_pretrained\('x'\)"/);
  const tekken = read({ "tekken.json": bytes("{}") }, { tokenizer_class: "LlamaTokenizer" });
  await expect(tekken).rejects.toThrow(/tekken\.json.*python -c/);
});

test("a damaged sentencepiece model is an error that names it, wherever it is cut", () => {
  expect(readSentencePieceModel(model, "m").pieces.length).toBeGreaterThan(300);
  let refused = 0;
  for (let end = 0; end < model.length; end += 7) {
    try {
      readSentencePieceModel(model.subarray(0, end), '"tokenizer.model"');
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      expect((error as Error).message).toMatch(/^"tokenizer.model" is not a sentencepiece model/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan((model.length / 7) * 0.8); // some cuts fall between two pieces
});

test("damaged vocabulary files are named", async () => {
  const vocab = golden("slow-GPT2/vocab.json");
  const gpt2 = (files: Record<string, Uint8Array>) => read(files, { tokenizer_class: "GPT2Tokenizer" });
  const merges = (text: string) => gpt2({ "vocab.json": vocab, "merges.txt": bytes(`#version: 0.2\n${text}\n`) });
  await expect(merges("a b c")).rejects.toThrow(/"merges.txt": a merge should be two parts.*"a b c"/);
  await expect(merges("t zzz")).rejects.toThrow(/"merges.txt": "zzz" of "t zzz" is not in the vocabulary/);
  await expect(gpt2({ "vocab.json": bytes("[1]"), "merges.txt": bytes("") })).rejects.toThrow(/"vocab.json" should be/);
  const bert = read({ "vocab.txt": new Uint8Array([0xff, 0xfe, 0x0a]) }, { tokenizer_class: "BertTokenizer" });
  await expect(bert).rejects.toThrow(/"vocab.txt" is not UTF-8/);
});

test("damaged settings are named", async () => {
  const files = { "tokenizer.json": json };
  await expect(read(files, { padding_side: "up" })).rejects.toThrow(/"padding_side" should be "left" or "right"/);
  await expect(read(files, { pad_token: 7 })).rejects.toThrow(/"pad_token" should be a text/);
  await expect(read(files, { additional_special_tokens: "<a>" })).rejects.toThrow(/should be a list of tokens/);
  await expect(read(files, { added_tokens_decoder: { 3: {} } })).rejects.toThrow(/added_tokens_decoder.*, 3: expected/);
  const numbered = { added_tokens_decoder: { x: { content: "<a>" } } };
  await expect(read(files, numbered)).rejects.toThrow(/"<a>": its number should be whole/);
  const llama = { tokenizer_class: "LlamaTokenizerFast", bos_token: null };
  await expect(read(files, llama)).rejects.toThrow(/"add_bos_token" is true, but there is no "bos_token"/);
});

test("a folder of version 5 of transformers is read", async () => {
  const config = { tokenizer_class: "TokenizersBackend", extra_special_tokens: ["<image>"], eos_token: "</s>" };
  const { tokenizer, tokenizerClass, additionalSpecialTokens } = await read({ "tokenizer.json": json }, config);
  expect(tokenizerClass).toBe("PreTrainedTokenizerFast");
  expect(additionalSpecialTokens).toEqual(["<image>"]);
  expect(JSON.stringify(tokenizer.added_tokens)).toContain('"<image>"');
});
