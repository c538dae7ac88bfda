/** Folders that Rust or transformers refuse: refused here too, by name, also for what is replaced before it runs. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mapSource } from "../../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { readTokenizerFolder } from "../../../src/tokenizers/convert/read-tokenizer-folder.ts";
import { GOLDEN } from "../../golden-files.ts";

const added = { id: 0, content: "[UNK]", single_word: false, lstrip: false, rstrip: false, normalized: false };
const whole = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [{ ...added, special: true }],
  model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 1 }, unk_token: "[UNK]" },
};
const truncation = { direction: "Right", max_length: 4, strategy: "LongestFirst", stride: 0 };
const padding = { strategy: { Fixed: 4 }, direction: "Right", pad_id: 0, pad_type_id: 0, pad_token: "[UNK]" };

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const reading = (tokenizer: unknown, config: object = {}) =>
  readTokenizerFolder(
    mapSource({ "tokenizer.json": bytes(tokenizer), "tokenizer_config.json": bytes(config) }, "the folder"),
  );

test("the whole file, with truncation and padding, is read", async () => {
  await expect(reading({ ...whole, truncation, padding })).resolves.toBeDefined();
});

test.each<[string, object, string]>([
  ["version", { version: "(?:" }, "tokenizer.version"],
  ["strategy of truncation", { truncation: { ...truncation, strategy: "Longest" } }, "tokenizer.truncation.strategy"],
  ["length of truncation", { truncation: { ...truncation, max_length: false } }, "tokenizer.truncation.max_length"],
  ["strategy of padding", { padding: { ...padding, strategy: { Fixed: 4, b: 4 } } }, "tokenizer.padding.strategy"],
  ["list of added tokens", { added_tokens: { a: 1 } }, "tokenizer.added_tokens"],
  ["added token", { added_tokens: [added] }, "tokenizer.added_tokens[0].special"],
  ["key that there is not", { "../x": {} }, '"../x"'],
])("a wrong %s", async (_, change, named) => {
  const refused = reading({ ...whole, ...change });
  await expect(refused).rejects.toThrow(FormatError);
  await expect(refused).rejects.toThrow(named);
});

test("NaN, which Python reads and Rust does not, and bytes that are no text", async () => {
  const text = JSON.stringify(whole);
  await expect(reading(text.replace('"truncation":null', '"truncation":NaN'))).rejects.toThrow(/NaN or Infinity/);
  const broken = bytes(whole);
  broken[5] = 0xff;
  const source = mapSource({ "tokenizer.json": broken });
  await expect(readTokenizerFolder(source)).rejects.toThrow(/not UTF-8/);
});

test("settings of another type", async () => {
  const odd = { tokenizer_class: { toString: 1 } };
  await expect(reading(whole, odd)).rejects.toThrow(UnsupportedError);
  await expect(reading(whole, { model_input_names: 3 })).rejects.toThrow(/should be a list of names, found 3/);
});

test.each([1e9, -1, 1.5, "7", {}])("extra_ids %s of T5, before a token is made", async (count) => {
  const config = bytes({ tokenizer_class: "T5Tokenizer", extra_ids: count });
  const source = mapSource({
    "spiece.model": new Uint8Array(readFileSync(`${GOLDEN}/tokenizer-folders/slow-T5/spiece.model`)),
    "tokenizer_config.json": config,
  });
  await expect(readTokenizerFolder(source)).rejects.toThrow(
    /"extra_ids" is .*, expected a whole number from 0 to 10000/,
  );
});
