import { describe, expect, test } from "vitest";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import type { Tokenizer } from "../../src/text/tokenizer.ts";
import { pocket, storiesFolder } from "./pretrained.ts";

const TEXT = "Call me Ishmael. 👩‍👩‍👧 naïve 中文, 😀😀!\n\nSome years  ago";

/** The pieces of a stream, its end included. */
function stream(tokenizer: Tokenizer, ids: number[], after: number[] = []): string[] {
  const decoder = tokenizer.streamDecoder({ after });
  return [...ids.map((id) => decoder.push(id)), decoder.end()];
}

test("pieces joined are the whole text, and no piece has half a character", () => {
  const pieces = stream(pocket, pocket.encode(TEXT));
  expect(pieces.join("")).toBe(TEXT);
  expect(pieces.join("")).not.toContain("\ufffd");
  for (const piece of pieces) expect(() => encodeURIComponent(piece)).not.toThrow();
});

test("plain words come at once", () => {
  const ids = pocket.encode("Call me Ishmael", { addSpecialTokens: false });
  expect(stream(pocket, ids).filter((piece) => piece !== "").length).toBe(ids.length);
});

test("bytes that never become a character come at the end as U+FFFD", () => {
  const [first] = pocket.encode("é", { addSpecialTokens: false });
  expect(stream(pocket, [first!])).toEqual(["", "\ufffd"]);
});

test("special tokens have no text unless asked for", () => {
  const decoder = pocket.streamDecoder({ skipSpecialTokens: false });
  expect([0, 1].map((id) => decoder.push(id))).toEqual(["<s>", "</s>"]);
  expect(stream(pocket, [0, 1]).join("")).toBe("");
});

describe.skipIf(storiesFolder === null)("stories260K", () => {
  test("keeps the blank before a word after a prompt, and has none at the start", async () => {
    const stories = await AutoTokenizer.fromPretrained(storiesFolder!);
    const ids = stories.encode(TEXT);
    expect(stream(stories, ids).join("")).toBe(TEXT);
    for (let cut = 1; cut < ids.length; cut++) {
      const prompt = stories.decode(ids.slice(0, cut), { skipSpecialTokens: true });
      if (prompt.endsWith("\ufffd")) continue;
      expect(prompt + stream(stories, ids.slice(cut), ids.slice(0, cut)).join("")).toBe(TEXT);
    }
  });
});
