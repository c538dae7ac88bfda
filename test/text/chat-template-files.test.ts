import { expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { chooseTemplate, configuredTemplates, readChatTemplates } from "../../src/text/chat-template-files.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const named = new Map([
  ["default", "{{ 1 }}"],
  ["tool_use", "{{ 2 }}"],
  ["rag", "{{ 3 }}"],
]);

test("files of their own go before chat_template.json", async () => {
  const files = {
    "chat_template.jinja": bytes("a"),
    "additional_chat_templates/tool_use.jinja": bytes("b"),
    "chat_template.json": bytes('{"chat_template": "c"}'),
  };
  expect(await readChatTemplates(mapSource(files))).toEqual(
    new Map([
      ["default", "a"],
      ["tool_use", "b"],
    ]),
  );
  const { "chat_template.json": json } = files;
  expect(await readChatTemplates(mapSource({ "chat_template.json": json }))).toBe("c");
  expect(await readChatTemplates(mapSource({}))).toBeNull();
});

test("a list in tokenizer_config.json has templates by name", () => {
  expect(configuredTemplates([{ name: "rag", template: "x" }])).toEqual(new Map([["rag", "x"]]));
  expect(configuredTemplates(undefined)).toBeNull();
  expect(() => configuredTemplates([{ name: "rag" }])).toThrow('objects with "name" and "template"');
});

test("tools choose tool_use, a name chooses itself, and a template's text is taken as it is", () => {
  expect(chooseTemplate("m", named, null, false)).toBe("{{ 1 }}");
  expect(chooseTemplate("m", named, null, true)).toBe("{{ 2 }}");
  expect(chooseTemplate("m", named, "rag", true)).toBe("{{ 3 }}");
  expect(chooseTemplate("m", named, "{{ 4 }}", false)).toBe("{{ 4 }}");
  expect(chooseTemplate("m", "{{ 5 }}", null, true)).toBe("{{ 5 }}");
});

test("a name that is not there is refused with the names that are", () => {
  expect(() => chooseTemplate("m", named, "tools", false)).toThrow("default, rag, tool_use");
  expect(() => chooseTemplate("m", null, null, false)).toThrow("has no chat template");
});
