/** What is continued of each kind of row. The template writes <role>content; for every turn, and <assistant> for an answer. */
import { expect, test } from "vitest";
import { causalPrompt, type PromptContent } from "../../../src/tasks/kit/causal-prompt.ts";
import type { EncodeContext } from "../../../src/tasks/kit/example.ts";
import { pocket, pocketWith } from "../../text/pretrained.ts";

const template =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
const chat = pocketWith({ chatTemplate: template });
const context = (more: Partial<EncodeContext> = {}): EncodeContext => ({
  ...{ vocabSize: 1024, contextLength: null, tokenizer: () => chat },
  ...more,
});

/** Prompt and reference as text; the prompt without the special tokens around it. */
function shown(row: PromptContent, more: Partial<EncodeContext> = {}): unknown {
  const found = causalPrompt(row, context(more));
  if (found === null || typeof found === "string") return found;
  const skipped = { skipSpecialTokens: true };
  return { prompt: chat.decode(found.inputIds, skipped), reference: found.reference, labels: [...found.labels] };
}

const user = { role: "user", content: "Who?" };
const answer = { role: "assistant", content: "Ahab" };

test.each<[PromptContent, string, string | undefined]>([
  [{ kind: "text", text: "Call me" }, "Call me", undefined],
  [{ kind: "document", text: "Call me" }, "Call me", undefined],
  [{ kind: "completion", prompt: "Call me", completion: " Ishmael" }, "Call me", " Ishmael"],
  [{ kind: "chat", messages: [user, answer], tools: null }, "<user>Who?;<assistant>", "Ahab"],
  [
    { kind: "chat", messages: [user, answer, user], tools: null },
    "<user>Who?;<assistant>Ahab;<user>Who?;<assistant>",
    undefined,
  ],
  [
    { kind: "chat", messages: [user, answer, user, answer], tools: null },
    "<user>Who?;<assistant>Ahab;<user>Who?;<assistant>",
    "Ahab",
  ],
  [{ kind: "chatCompletion", prompt: [user], completion: [answer], tools: null }, "<user>Who?;<assistant>", "Ahab"],
  [
    { kind: "chatCompletion", prompt: [user], completion: [answer, user], tools: null },
    "<user>Who?;<assistant>",
    JSON.stringify([answer, user]),
  ],
  [
    { kind: "instruction", system: "Be short", instruction: "Who?", output: "Ahab" },
    "<system>Be short;<user>Who?;<assistant>",
    "Ahab",
  ],
])("%j", (row, prompt, reference) => {
  expect(shown(row)).toEqual({ prompt, reference, labels: [] });
});

test("no prompt ends with the end of a text, which training puts behind the answer", () => {
  const { eosTokenId } = pocket;
  for (const row of [
    { kind: "text", text: "Call" },
    { kind: "completion", prompt: "Call", completion: "x" },
  ] as const) {
    const found = causalPrompt(row, context());
    expect((found as { inputIds: Int32Array }).inputIds.at(-1)).not.toBe(eosTokenId);
  }
});

test("tokens are a prompt up to the first that is learned, and the rest is the answer", () => {
  const ids = (labels: number[] | null) => {
    const found = causalPrompt({ kind: "tokens", inputIds: [5, 6, 7, 8], labels }, context()) as {
      inputIds: Int32Array;
      labels: Int32Array;
    };
    return [[...found.inputIds], [...found.labels]];
  };
  expect(ids([-100, -100, 7, 8])).toEqual([
    [5, 6],
    [7, 8],
  ]);
  expect(ids(null)).toEqual([[5, 6, 7, 8], []]);
  expect(ids([5, 6, 7, 8])).toEqual([[5, 6, 7, 8], []]);
});

test("an instruction without a template has a blank line behind it", () => {
  const row: PromptContent = { kind: "instruction", system: "", instruction: "Who?", output: "Ahab" };
  expect(shown(row, { tokenizer: () => pocketWith({}) })).toMatchObject({ prompt: "Who?\n\n", reference: "Ahab" });
});

test("a long prompt keeps its end, or is refused where no length is given", () => {
  const row: PromptContent = { kind: "tokens", inputIds: [5, 6, 7, 8] };
  expect((causalPrompt(row, context({ maxLength: 2 })) as { inputIds: Int32Array }).inputIds).toEqual(
    Int32Array.of(7, 8),
  );
  expect(shown(row, { contextLength: 4 })).toMatch(
    /has a prompt of 4 tokens, the model's context is 4 and must hold one more/,
  );
});

test("pairs of texts, and answers to nothing, are not continued", () => {
  expect(causalPrompt({ kind: "text", text: "a", textPair: "b" }, context())).toBeNull();
  expect(() => causalPrompt({ kind: "chat", messages: [answer], tools: null }, context())).toThrow(
    "nothing but an answer",
  );
});
