import { describe, expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { JsonTokenizer } from "../../src/tokenizers/json-tokenizer.ts";

const model = { type: "WordLevel", vocab: { "<unk>": 0, a: 1 }, unk_token: "<unk>" };
const bpe = { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] };
const split = (pattern: unknown) => ({
  pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false },
});
const regex = (source: string) => split({ Regex: source });
const added = (change: object) => ({
  added_tokens: [
    {
      id: 1,
      content: "a",
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: false,
      ...change,
    },
  ],
});
const nested = (depth: number): object =>
  depth === 0 ? { type: "NFC" } : { type: "Sequence", normalizers: [nested(depth - 1)] };

describe("what is wrong is named", () => {
  test.each<[string, object, RegExp]>([
    ["no model", { model: undefined }, /tokenizer\.model is missing; expected an object/],
    ["a vocabulary that is a list", { model: { ...model, vocab: [] } }, /tokenizer\.model\.vocab is \[\]; expected/],
    ["an id beyond all vocabularies", { model: { ...model, vocab: { a: 1e9 } } }, /vocab\["a"\] is 1000000000/],
    ["an id that is no number", { model: { ...model, vocab: { a: "1" } } }, /vocab\["a"\] is "1"/],
    ["a negative id", { model: { ...model, vocab: { a: -1 } } }, /vocab\["a"\] is -1/],
    ["a half id", { model: { ...model, vocab: { a: 0.5 } } }, /vocab\["a"\] is 0\.5/],
    ["an added id beyond all vocabularies", added({ id: 1e9 }), /added_tokens\[0\]\.id is 1000000000/],
    ["a flag that is a word", added({ special: "yes" }), /added_tokens\[0\]\.special is "yes"; expected true or false/],
    ["merges of unknown tokens", { model: { ...bpe, merges: [["a", "c"]] } }, /merges\[0\] needs the token "c"/],
    ["merges into unknown tokens", { model: { ...bpe, merges: ["b a"] } }, /merges\[0\] needs the token "ba"/],
    ["merges of three", { model: { ...bpe, merges: ["a b c"] } }, /merges\[0\] is "a b c"; expected two tokens/],
    ["a dropout of 2", { model: { ...bpe, dropout: 2 } }, /dropout is 2; expected a number from 0 to 1/],
    ["a Unigram score that is text", { model: { type: "Unigram", vocab: [["a", "b"]] } }, /vocab\[0\] is \["a","b"\]/],
    ["an unk_id beyond the vocabulary", { model: { type: "Unigram", vocab: [["a", 0]], unk_id: 1 } }, /unk_id is 1/],
    ["a missing field", { normalizer: { type: "Strip", strip_left: true } }, /normalizer\.strip_right is missing/],
    ["an unknown behavior", split(undefined), /pre_tokenizer\.pattern is missing/],
    ["a pattern that does not parse", regex("(a"), /pattern lacks a "\)": "\(a"/],
    ["a class without its end", regex("[a"), /has a class without its end/],
    ["a repetition of nothing", regex("*a"), /repeats nothing/],
    [
      "Metaspace against itself",
      { pre_tokenizer: { type: "Metaspace", replacement: "_", add_prefix_space: false } },
      /add_prefix_space/,
    ],
    [
      "a delimiter of two characters",
      { pre_tokenizer: { type: "CharDelimiterSplit", delimiter: "ab" } },
      /one character/,
    ],
    [
      "a template with an unknown token",
      {
        post_processor: {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "x", type_id: 0 } }],
          pair: [],
          special_tokens: {},
        },
      },
      /"x", which special_tokens does not have/,
    ],
    [
      "a map of characters that is none",
      { normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } },
      /precompiled_charsmap/,
    ],
    ["parts inside parts without end", { normalizer: nested(1000) }, /nested more than 32 deep/],
    ["another version", { version: "2.0" }, /tokenizer\.version is "2\.0"; expected one of 1\.0/],
  ])("%s", (_, change, message) => {
    const load = () => new JsonTokenizer({ model, ...change });
    expect(load).toThrow(FormatError);
    expect(load).toThrow(message);
  });
});

describe("what is not done here is refused by name, never passed over", () => {
  test.each<[string, object, RegExp]>([
    ["an unknown model", { model: { type: "Telepathy" } }, /model has the unknown type "Telepathy"; known are BPE, /],
    ["an unknown normalizer", { normalizer: { type: "Rot13" } }, /normalizer has the unknown type "Rot13"/],
    ["a type that objects inherit", { normalizer: { type: "toString" } }, /unknown type "toString"/],
    ["an unknown field", { normalizer: { type: "NFC", strict: true } }, /normalizer has the unknown field "strict"/],
    [
      "an unknown field inside",
      { normalizer: { type: "Sequence", normalizers: [{ type: "NFC", x: 1 }] } },
      /normalizers\[0\] has the unknown field "x"/,
    ],
    ["dropout", { model: { ...bpe, dropout: 0.1 } }, /dropout is 0\.1: merges would be left out at random/],
    ["back references", regex("(a)\\1"), /has \\1, which is not supported/],
    ["calls", regex("(?<n>a)\\g<n>"), /has \\g, which is not supported/],
    ["conditions", regex("(a)?(?(1)b|c)"), /has the group "\(\?\(", which is not supported/],
    ["absent groups", regex("(?~ab)"), /has the group "\(\?~"/],
    ["loops that prefer to be empty", regex("(?:a??)*"), /repeats what can be empty before it is tried otherwise/],
    ["unknown properties", regex("\\p{Extended_Pictographic}"), /names the property "Extended_Pictographic"/],
    ["case that folds to several", regex("(?i:weiß)"), /ignores the case of a character that folds to several/],
    ["several that fold to one", regex("(?i:mass)"), /ignores the case of "mass", part of which folds/],
  ])("%s", (_, change, message) => {
    const load = () => new JsonTokenizer({ model, ...change });
    expect(load).toThrow(UnsupportedError);
    expect(load).toThrow(message);
  });
});

test("unknown characters without an unknown token are an error that says so", () => {
  const without = new JsonTokenizer({ model: { ...model, vocab: { a: 1 } } });
  expect(() => without.ids("b")).toThrow(
    /"b" is not in the vocabulary, and neither is tokenizer\.model\.unk_token "<unk>"/,
  );
  const unigram = new JsonTokenizer({ model: { type: "Unigram", vocab: [["a", 0]], unk_id: null } });
  expect(() => unigram.ids("b")).toThrow(/unk_id names no token/);
});
