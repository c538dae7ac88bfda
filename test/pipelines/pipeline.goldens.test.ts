/** Pipelines, calls of tokenizers and chats answer as transformers does. */
import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { pipeline } from "../../src/pipelines/pipeline.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { GOLDEN } from "../golden-files.ts";

interface Case {
  readonly task: string;
  readonly model: string;
  readonly input: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly result: unknown;
}

const folder = (model: string) => `${GOLDEN}/pipelines/${model}`;
const expected = JSON.parse(readFileSync(folder("expected.json"), "utf8")) as {
  readonly pipelines: Case[];
  readonly calls: Omit<Case, "task">[];
  readonly chats: { readonly messages: never[]; readonly options: object; readonly result: number[] }[];
};
const engine = await createEngine({ threads: 1 });
afterAll(() => engine.dispose());

/** The same with the numbers rounded, and each place in a text as the part of the text up to there. */
function comparable(value: unknown, partOf: (at: number) => string): unknown {
  if (Array.isArray(value)) return value.map((each) => comparable(each, partOf));
  if (typeof value === "number") return expect.closeTo(value, 4);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      ["start", "end"].includes(key) ? partOf(each as number) : comparable(each, partOf),
    ]),
  );
}

/** The same as above for a result of ours. */
function shown(value: unknown, partOf: (at: number) => string): unknown {
  if (Array.isArray(value)) return value.map((each) => shown(each, partOf));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      ["start", "end"].includes(key) ? partOf(each as number) : shown(each, partOf),
    ]),
  );
}

const name = ({ task, model, options, input }: Case) =>
  `${task} ${model} ${JSON.stringify(options)} ${JSON.stringify(input).slice(0, 40)}`;

test.each(expected.pipelines.map((each) => [name(each), each] as const))(
  "%s",
  async (_, { task, model, input, options, result }) => {
    using run = await pipeline(task as "text-classification", { model: folder(model), engine });
    const inImages = (each: unknown) => `${folder(model)}/${each}`;
    const given =
      task !== "image-classification" ? input : Array.isArray(input) ? input.map(inImages) : inImages(input);
    const found: unknown = await run(given as never, options as never);
    const value = task === "feature-extraction" ? (found as unknown as { tolist(): unknown }).tolist() : found;
    const { context } = (input ?? {}) as { context?: string };
    const texts = context === undefined ? [input].flat().map(String) : [context];
    // A list of texts has a list of results each; a place counts in its own text.
    const each = (list: unknown, make: (value: unknown, text: string) => unknown) =>
      texts.length > 1 && task === "ner"
        ? (list as unknown[]).map((one, i) => make(one, texts[i]!))
        : make(list, texts[0]!);
    const ours = each(value, (one, text) => shown(one, (at) => text.slice(0, at)));
    const theirs = each(result, (one, text) => comparable(one, (at) => Array.from(text).slice(0, at).join("")));
    expect(ours).toEqual(theirs);
  },
);

test.each(expected.calls.map((each) => [`${each.model} ${JSON.stringify(each.options)}`, each] as const))(
  "a tokenizer is called: %s",
  async (_, { model, input, options, result }) => {
    const tokenizer = await AutoTokenizer.fromPretrained(folder(model));
    const { inputIds, attentionMask, tokenTypeIds } = tokenizer(input as string, options as never);
    const found = {
      input_ids: inputIds,
      attention_mask: attentionMask,
      ...(tokenTypeIds && { token_type_ids: tokenTypeIds }),
    };
    expect(found).toEqual(result);
  },
);

test("a chat as tokens has the beginning-of-sequence token of its template, and no second one", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(folder("writes"));
  for (const { messages, options, result } of expected.chats) {
    const camel = Object.fromEntries(
      Object.entries(options).map(([key, value]) => [key.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), value]),
    );
    const ids = tokenizer.applyChatTemplate(messages, { ...camel, tokenize: true });
    expect(ids).toEqual(result);
    expect(ids.filter((id) => id === tokenizer.bosTokenId)).toHaveLength(1);
  }
});
