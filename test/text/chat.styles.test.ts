/** The templates of widely used models, in their constructs: texts and masks as transformers gives them. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parsePythonJson } from "../../src/core/python-json.ts";
import { ChatTemplate, type Message } from "../../src/text/chat.ts";
import { filesBelow } from "../house/source.ts";

interface Rendering {
  readonly text: string;
  /** Code points. */
  readonly spans: readonly (readonly [number, number])[];
  readonly prompt: string;
}
interface Golden {
  readonly tokens: Record<string, string>;
  readonly conversations: readonly { messages: Message[]; tools?: unknown[] }[];
  readonly styles: Record<string, readonly (Rendering | null)[]>;
}

const folder = new URL("../golden/templates/", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, folder), "utf8");
const golden = parsePythonJson(read("rendered.json")) as unknown as Golden;
const names = filesBelow("test/golden/templates").flatMap((file) => /^(.*)\.jinja$/.exec(file)?.[1] ?? []);

/** The template without its generation blocks. */
function unmarked(template: string): string {
  return template
    .replaceAll("{%- generation -%}", "{%- if true -%}")
    .replaceAll("{%- endgeneration -%}", "{%- endif -%}");
}

/** What a list of spans covers: the text of each. */
function covered(text: string, spans: readonly (readonly [number, number])[]): string[] {
  const points = Array.from(text);
  return spans.map(([start, end]) => points.slice(start, end).join("")).filter((part) => part !== "");
}

test("each template has its golden", () => {
  expect(names.length).toBeGreaterThanOrEqual(25);
  expect(Object.keys(golden.styles).sort()).toEqual([...names].sort());
  expect(golden.conversations).toHaveLength(16);
});

test.each(names)("%s: text, generation prompt and mask are those of transformers", (name) => {
  const text = read(`${name}.jinja`);
  const templates = [text, unmarked(text)].map((each) => new ChatTemplate(name, each, golden.tokens));
  const rows = golden.styles[name]!;
  let compared = 0;
  golden.conversations.forEach(({ messages, tools = null }, i) => {
    for (const template of templates) {
      const row = rows[i];
      if (row === null || row === undefined) {
        expect(() => template.render(messages, { tools })).toThrow(name);
        continue;
      }
      expect(template.render(messages, { tools })).toBe(row.text);
      if (row.prompt !== "") expect(template.render(messages, { tools, addGenerationPrompt: true })).toBe(row.prompt);
      const found = template.spans(messages, { tools });
      const parts = found.assistant.map(({ start, end }) => found.text.slice(start, end));
      expect({ i, parts }).toEqual({ i, parts: covered(row.text, row.spans) });
      compared++;
    }
  });
  expect(compared).toBeGreaterThanOrEqual(10);
});

/** Small random numbers that a seed repeats. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const WORDS = [
  "",
  "a",
  "yes",
  " b ",
  "\n\nc\n",
  "<",
  "</s>",
  "<think>\nx\n</think>\n\ny",
  "assistant",
  "日本 🦜",
  "\n",
  "{{ x }}",
];

/** Turns in the order that most templates take, at times with tools. */
function randomConversation(random: (below: number) => number): Message[] {
  const word = () => WORDS[random(WORDS.length)]! + WORDS[random(WORDS.length)]!;
  const messages: Message[] = random(3) === 0 ? [{ role: "system", content: word() }] : [];
  for (let turns = 1 + random(4); turns > 0; turns--) {
    messages.push({ role: "user", content: word() });
    if (random(4) === 0) {
      const call = { type: "function", function: { name: "f", arguments: { x: 1 } } };
      messages.push({ role: "assistant", content: random(2) === 0 ? null : word(), tool_calls: [call] });
      messages.push({ role: "tool", content: word() });
    }
    messages.push({ role: "assistant", content: word(), ...(random(4) === 0 && { reasoning_content: word() }) });
  }
  return messages;
}

const seed = Math.floor(Math.random() * 2 ** 31);

test.each(names)(
  `%s: the mask without generation blocks is that with them, for random conversations (seed ${seed})`,
  (name) => {
    const random = randomFrom(seed);
    const text = read(`${name}.jinja`);
    const [marked, plain] = [text, unmarked(text)].map((each) => new ChatTemplate(name, each, golden.tokens));
    let compared = 0;
    for (let i = 0; i < 60; i++) {
      const messages = randomConversation(random);
      let expected: ReturnType<ChatTemplate["spans"]>;
      try {
        expected = marked!.spans(messages);
      } catch {
        continue;
      }
      const parts = ({ text: whole, assistant }: typeof expected) =>
        assistant.map(({ start, end }) => whole.slice(start, end));
      expect({ messages, parts: parts(plain!.spans(messages)) }).toEqual({ messages, parts: parts(expected) });
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  },
);
