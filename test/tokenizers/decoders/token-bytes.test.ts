import { expect, test } from "vitest";
import { JsonTokenizer } from "../../../src/tokenizers/json-tokenizer.ts";

const bpe = (tokens: readonly string[], decoder: unknown, byteFallback = false) =>
  new JsonTokenizer({
    version: "1.0",
    added_tokens: [
      {
        id: tokens.length,
        content: "</s>",
        special: true,
        normalized: false,
        single_word: false,
        lstrip: false,
        rstrip: false,
      },
    ],
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
      byte_fallback: byteFallback,
      fuse_unk: false,
    },
    decoder,
  });
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes));

test("letters of bytes are bytes, also those of half a character", () => {
  const decoder = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = bpe(["a", "Ġa", "Ã", "¤", "Ċ"], decoder);
  expect(tokenizer.tokenBytes(1)).toEqual(Uint8Array.of(0x20, 0x61));
  expect(tokenizer.tokenBytes(2)).toEqual(Uint8Array.of(0xc3));
  expect(tokenizer.tokenBytes(3)).toEqual(Uint8Array.of(0xa4));
  expect(tokenizer.tokenBytes(4)).toEqual(Uint8Array.of(0x0a));
  expect([tokenizer.tokenBytes(5), tokenizer.tokenBytes(99)]).toEqual([null, null]);
});

test("blanks of sentencepiece are kept, as inside a text, and bytes by their number are bytes", () => {
  const decoders = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    { type: "Strip", content: " ", start: 1, stop: 0 },
  ];
  const tokenizer = bpe(["▁the", "s", "<0xE2>", "ä"], { type: "Sequence", decoders }, true);
  expect([0, 1, 3].map((id) => textOf(tokenizer.tokenBytes(id)))).toEqual([" the", "s", "ä"]);
  expect(tokenizer.tokenBytes(2)).toEqual(Uint8Array.of(0xe2));
  const metaspace = bpe(["▁the", "s"], { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true });
  expect([0, 1].map((id) => textOf(metaspace.tokenBytes(id)))).toEqual([" the", "s"]);
});
