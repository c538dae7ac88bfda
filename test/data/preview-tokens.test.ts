import { expect, test } from "vitest";
import { previewTokens } from "../../src/data/preview-tokens.ts";
import { pocket, pocketWith } from "../text/pretrained.ts";

test("a conversation shows which of its tokens are learned, and all of its text", () => {
  const chatTemplate = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}";
  const tokenizer = pocketWith({ chatTemplate });
  const messages = [
    { role: "user", content: "Who are you, é?" },
    { role: "assistant", content: "Ahab ☃." },
  ];
  const row = tokenizer.encodeChat(messages);
  const tokens = previewTokens(tokenizer, row);
  expect(tokens.map(({ id }) => id)).toEqual(row.inputIds);
  expect(tokens.map(({ text }) => text).join("")).toBe(tokenizer.decode(row.inputIds));
  const learned = tokens.filter((token) => token.learned).map(({ text }) => text);
  expect(learned.join("")).toContain("Ahab ☃.<end>");
  expect(learned.join("")).not.toContain("Who");
});

test("the first token of a row is never learned", () => {
  const inputIds = pocket.encode("Call me Ishmael.");
  expect(previewTokens(pocket, { inputIds, labels: inputIds }).map(({ learned }) => learned)).toEqual(
    inputIds.map((_, i) => i > 0),
  );
});
