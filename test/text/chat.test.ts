import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
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

/** The texts of the labelled stretches. */
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

test("only what the assistant wrote is learnt, the end of its turn included", () => {
  const said = (i: number) => learnt(pocketWith({ chatTemplate: chats[i]!.template }), chatml.messages);
  expect(said(0)).toEqual(["Well met.<|im_end|>\n", "A whale, sir.<|im_end|>\n"]);
  expect(said(1)).toEqual([" Well met. </s>", " A whale, sir. </s>"]);
});

test("a template that adds a thought to the last turn alone still tells the turns apart", () => {
  const template = `{%- for m in messages -%}
<{{ m.role }}>{% if loop.last and m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}<end>
{%- endfor -%}{% if add_generation_prompt %}<assistant>{% endif %}`;
  const tokenizer = pocketWith({ chatTemplate: template });
  expect(learnt(tokenizer, chatml.messages)).toEqual(["Well met.<end>", "<think></think>A whale, sir.<end>"]);
});

test("a template that rewrites earlier turns is refused, naming the message", () => {
  const count = pocketWith({
    chatTemplate: "{{ messages | length }}:{% for m in messages %}{{ m.content }};{% endfor %}",
  });
  expect(() => count.encodeChat(chatml.messages)).toThrow(FormatError);
  expect(() => count.encodeChat(chatml.messages)).toThrow(/message 2 .*rendered differently/);
  const drop = pocketWith({
    chatTemplate:
      "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }};{% endif %}{% endfor %}",
  });
  expect(() => drop.encodeChat(chatml.messages)).toThrow(/message 2 .*when messages follow/);
});

test("what a template refuses is told in its own words", () => {
  const tokenizer = pocketWith({ chatTemplate: chats[1]!.template });
  const system = [{ role: "system", content: "Be brief." }];
  expect(() => tokenizer.applyChatTemplate(system)).toThrow(FormatError);
  expect(() => tokenizer.applyChatTemplate(system)).toThrow(/chat template of pocket .*Only user and assistant roles/);
  expect(() => pocketWith({ chatTemplate: "{% for %}" })).toThrow(/chat template of pocket does not parse/);
});

test("tools reach the template", () => {
  const tokenizer = pocketWith({ chatTemplate: "{% if tools is not none %}{{ tools[0].name }}{% endif %}!" });
  expect(tokenizer.applyChatTemplate(chatml.messages, { tools: [{ name: "harpoon" }] })).toBe("harpoon!");
  expect(tokenizer.applyChatTemplate(chatml.messages)).toBe("!");
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
  expect(await rendered({ "tokenizer_config.json": config, "chat_template.jinja": bytes("jinja") })).toBe("jinja");
});
