import { expect, test } from "vitest";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { pocket, pocketWith } from "./pretrained.ts";

test("a tokenizer is called, and is still a tokenizer with a name", () => {
  expect(pocket).toBeInstanceOf(Tokenizer);
  const { inputIds, attentionMask } = pocket("Call me Ishmael.");
  expect(inputIds).toEqual(pocket.encode("Call me Ishmael."));
  expect(attentionMask).toEqual(inputIds.map(() => 1));
  expect(pocket.name).toContain("pocket");
});

test("padding needs a token to pad with, and goes where the files say", () => {
  const texts = ["Call", "Call me Ishmael."];
  const none = pocketWith({ config: { pad_token: null, pad_token_id: null, eos_token: "</s>" } });
  if (none.padTokenId === null) expect(() => none(texts, { padding: true })).toThrow(/names no padding token/);
  const left = pocketWith({ config: { padding_side: "left", pad_token: "</s>" } });
  const { inputIds, attentionMask } = left(texts, { padding: true });
  expect(inputIds[0]).toHaveLength(inputIds[1]!.length);
  expect([inputIds[0]![0], attentionMask[0]![0], attentionMask[0]!.at(-1)]).toEqual([left.padTokenId, 0, 1]);
});

test.each([
  ["an unknown option", () => pocket("a", { max_len: 4 } as never), /"maxLen" is not an option/],
  [
    "a wrong value",
    () => pocket("a", { padding: "left" as never }),
    /"padding" is "left", expected one of true, false, longest/,
  ],
  ["a number for a text", () => pocket(["a", 5] as never), /the text is the number 5, expected a text/],
  ["too few pairs", () => pocket(["a", "b"], { textPair: ["c"] }), /textPair has 1 texts for 2/],
  [
    "a chat option of Python",
    () => pocket.applyChatTemplate([], { add_generation_prompt: true } as never),
    /Did you mean "addGenerationPrompt"/,
  ],
  [
    "a text for messages",
    () => pocket.applyChatTemplate("Hi" as never),
    /first argument is the string "Hi", expected a list of messages/,
  ],
] as [string, () => unknown, RegExp][])("%s is refused by name", (_, call, said) => {
  expect(call).toThrow(said);
});
