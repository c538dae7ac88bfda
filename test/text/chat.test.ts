import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { readRow } from "../../src/data/read-row.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import { pocket, pocketFolder, pocketWith } from "./pretrained.ts";

interface Golden {
  name: string;
  template: string;
  messages: { role: string; content: string }[];
  text: string;
  prompt: string;
  ids: number[];
}
const chats: Golden[] = JSON.parse(readFileSync(new URL("golden/tokenizers.json", import.meta.url), "utf8")).chats;
const chatml = chats[0]!;

/** The texts of the labeled stretches. */
function learnt(tokenizer: typeof pocket, messages: Golden["messages"]): string[] {
  const { inputIds, labels } = tokenizer.encodeChat(messages);
  expect(labels.every((label, i) => label === -100 || label === inputIds[i])).toBe(true);
  const stretches: number[][] = [[]];
  for (const label of labels) {
    if (label !== -100) stretches.at(-1)!.push(label);
    else if (stretches.at(-1)!.length > 0) stretches.push([]);
  }
  return stretches.filter((ids) => ids.length > 0).map((ids) => tokenizer.decode(ids));
}

for (const { name, template, messages, text, prompt, ids } of chats) {
  test(`the ${name} template renders and tokenizes as in transformers`, () => {
    const tokenizer = pocketWith({ chatTemplate: template });
    expect(tokenizer.applyChatTemplate(messages)).toBe(text);
    expect(tokenizer.applyChatTemplate(messages.slice(0, 3), { addGenerationPrompt: true })).toBe(prompt);
    expect(tokenizer.encodeChat(messages).inputIds).toEqual(ids);
  });
}

test("only what the assistant wrote is learned, the end of its turn included", () => {
  const said = (i: number) => learnt(pocketWith({ chatTemplate: chats[i]!.template }), chatml.messages);
  expect(said(0)).toEqual(["Well met.<|im_end|>", "A whale, sir.<|im_end|>"]);
  expect(said(1)).toEqual([" Well met. </s>", " A whale, sir. </s>"]);
});

test("a template that adds a thought to the last turn alone still tells the turns apart", () => {
  const template = `{%- for m in messages -%}
<{{ m.role }}>{% if loop.last and m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}<end>
{%- endfor -%}{% if add_generation_prompt %}<assistant>{% endif %}`;
  const tokenizer = pocketWith({ chatTemplate: template });
  expect(learnt(tokenizer, chatml.messages)).toEqual(["Well met.<end>", "<think></think>A whale, sir.<end>"]);
});

test("a template that leaves out earlier turns, or counts them, masks what it writes", () => {
  const count = pocketWith({
    chatTemplate: "{{ messages | length }}:{% for m in messages %}{{ m.content }};{% endfor %}",
  });
  expect(learnt(count, chatml.messages)).toEqual(["Well met.;", "A whale, sir.;"]);
  const drop = pocketWith({
    chatTemplate:
      "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }};{% endif %}{% endfor %}",
  });
  expect(learnt(drop, chatml.messages)).toEqual(["A whale, sir.;"]);
});

test("turns are told apart in loops over numbers, over dicts made of messages, and where macros write them", () => {
  const turn = "<{{ m.role }}>{{ m.content }}<end>";
  const templates = [
    `{% for i in range(messages | length) %}{% set m = messages[i] %}${turn}{% endfor %}`,
    "{% set ns = namespace(all=[]) %}{% for m in messages %}{% set ns.all = ns.all + [{'role': m.role, " +
      `'content': m.content}] %}{% endfor %}{% for m in ns.all %}${turn}{% endfor %}`,
    `{% macro write(m) %}${turn}{% endmacro %}{% for m in messages %}{{ write(m) }}{% endfor %}`,
    `{% for m in messages | reverse | list | reverse %}{% set text %}${turn}{% endset %}{{ text }}{% endfor %}`,
  ];
  for (const template of templates) {
    const chatTemplate = `${template}{% if add_generation_prompt %}<assistant>{% endif %}`;
    expect(learnt(pocketWith({ chatTemplate }), chatml.messages)).toEqual(["Well met.<end>", "A whale, sir.<end>"]);
  }
});

test("a template's limits can be set", () => {
  const tokenizer = pocketWith({ chatTemplate: chatml.template });
  expect(() => tokenizer.applyChatTemplate(chatml.messages, { limits: { steps: 5 } })).toThrow(
    /limit of 5 for "steps"/,
  );
});

test("a template that writes turns without a loop over the messages is refused, naming the message", () => {
  const joined = pocketWith({ chatTemplate: "{{ messages | map(attribute='content') | join(';') }}" });
  expect(() => joined.encodeChat(chatml.messages)).toThrow(FormatError);
  expect(() => joined.encodeChat(chatml.messages)).toThrow(/message 2 is not written by a loop/);
});

test("what a template refuses is told in its own words", () => {
  const tokenizer = pocketWith({ chatTemplate: chats[1]!.template });
  const system = [{ role: "system", content: "Be brief." }];
  expect(() => tokenizer.applyChatTemplate(system)).toThrow(FormatError);
  expect(() => tokenizer.applyChatTemplate(system)).toThrow(/chat template of pocket .*Only user and assistant roles/);
  const damaged = pocketWith({ chatTemplate: "hello\n{% for %}" });
  expect(() => damaged.applyChatTemplate(system)).toThrow(/template of pocket does not parse: line 2, column 8: /);
});

test("tools reach the template", () => {
  const tokenizer = pocketWith({ chatTemplate: "{% if tools is not none %}{{ tools[0].name }}{% endif %}!" });
  expect(tokenizer.applyChatTemplate(chatml.messages, { tools: [{ name: "harpoon" }] })).toBe("harpoon!");
  expect(tokenizer.applyChatTemplate(chatml.messages)).toBe("!");
});

test("numbers of a row keep their Python types on the way to the template", () => {
  const row = readRow('{"messages": [{"role": "assistant", "content": {"10": 1.0, "2": 1, "n": 9007199254740993}}]}');
  const tokenizer = pocketWith({ chatTemplate: "{{ messages[0].content }}" });
  const { messages } = row as unknown as { messages: { role: string }[] };
  expect(tokenizer.applyChatTemplate(messages)).toBe("{'10': 1.0, '2': 1, 'n': 9007199254740993}");
});

test("tools choose the template for tools, a name or a text chooses another", () => {
  const chatTemplate = new Map([
    ["default", "plain"],
    ["tool_use", "{{ tools | length }}"],
    ["rag", "{{ documents[0].title }}{{ tone }}"],
  ]);
  const tokenizer = pocketWith({ chatTemplate });
  expect(tokenizer.applyChatTemplate([])).toBe("plain");
  expect(tokenizer.applyChatTemplate([], { tools: [{}, {}] })).toBe("2");
  const documents = [{ title: "Whales" }];
  const options = { chatTemplate: "rag", documents, variables: { tone: "!" } };
  expect(tokenizer.applyChatTemplate([], options)).toBe("Whales!");
  expect(tokenizer.applyChatTemplate([], { chatTemplate: "{{ 1 }}" })).toBe("1");
  expect(() => tokenizer.applyChatTemplate([], { chatTemplate: "rga" })).toThrow(
    /no chat template "rga".*default, rag/,
  );
  expect(() => tokenizer.applyChatTemplate([], { tools: ["f"] })).toThrow(/tools should be JSON objects/);
  expect(() => tokenizer.applyChatTemplate([], { variables: { tools: [] } })).toThrow(/"tools" is an option/);
});

test("the last message can be left open for the model to continue", () => {
  const tokenizer = pocketWith({ chatTemplate: chatml.template });
  const messages = [...chatml.messages.slice(0, 2), { role: "assistant", content: "Call me " }];
  const text = tokenizer.applyChatTemplate(messages, { continueFinalMessage: true });
  expect(text.endsWith("<|im_start|>assistant\nCall me ")).toBe(true);
  const both = { continueFinalMessage: true, addGenerationPrompt: true };
  expect(() => tokenizer.applyChatTemplate(messages, both)).toThrow(/exclude each other/);
  const ids = tokenizer.applyChatTemplate(messages, { tokenize: true });
  expect(tokenizer.decode(ids)).toBe(tokenizer.applyChatTemplate(messages));
});

test("without a template a conversation is refused", () => {
  expect(() => pocket.encodeChat(chatml.messages)).toThrow(UnsupportedError);
});

test("a template is found in each place transformers looks, a file of its own first", async () => {
  const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  const tokenizerJson = await pocketFolder.read("tokenizer.json");
  const rendered = async (files: Record<string, Uint8Array>) =>
    (await AutoTokenizer.fromPretrained(mapSource({ "tokenizer.json": tokenizerJson, ...files }))).applyChatTemplate(
      [],
    );
  const config = bytes({
    chat_template: [
      { name: "tool_use", template: "no" },
      { name: "default", template: "config" },
    ],
  });
  expect(await rendered({ "tokenizer_config.json": config })).toBe("config");
  expect(await rendered({ "tokenizer_config.json": bytes({ chat_template: "text" }) })).toBe("text");
  expect(
    await rendered({ "tokenizer_config.json": config, "chat_template.json": bytes({ chat_template: "json" }) }),
  ).toBe("json");
  const own = { "tokenizer_config.json": config, "chat_template.jinja": bytes("jinja") };
  expect(await rendered(own)).toBe("jinja");
  const additional = { ...own, "additional_chat_templates/tool_use.jinja": bytes("{{ tools | length }}") };
  const tokenizer = await AutoTokenizer.fromPretrained(mapSource({ "tokenizer.json": tokenizerJson, ...additional }));
  expect(tokenizer.applyChatTemplate([])).toBe("jinja");
  expect(tokenizer.applyChatTemplate([], { tools: [{}] })).toBe("1");
});
