/** Small templates, each for one construct: the text or the failure that transformers' environment gives. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parsePythonJson } from "../../src/core/python-json.ts";
import { Template } from "../../src/jinja/template.ts";

interface Case {
  readonly on: number;
  readonly template: string;
  readonly text?: string;
  /** Code points. */
  readonly generations?: readonly (readonly [number, number])[];
  readonly error?: string;
}
const url = new URL("../golden/templates/constructs.json", import.meta.url);
const { conversations, cases } = parsePythonJson(readFileSync(url, "utf8")) as unknown as {
  conversations: Record<string, unknown>[];
  cases: Case[];
};
const own = { tools: null, documents: null, add_generation_prompt: false };

test.each(cases)("$template", ({ on, template, text, generations = [], error }) => {
  const render = () => new Template(template).render({ ...own, ...conversations[on] });
  if (error !== undefined) {
    expect(render).toThrow(/^line \d+, column \d+: /);
    return;
  }
  const rendered = render();
  expect(rendered.text).toBe(text);
  const points = (end: number) => Array.from(rendered.text.slice(0, end)).length;
  expect(rendered.generations.map(({ start, end }) => [points(start), points(end)])).toEqual(generations);
});

test("there are many, with and without errors", () => {
  expect(cases.length).toBeGreaterThan(250);
  expect(cases.filter(({ error }) => error !== undefined).length).toBeGreaterThan(50);
});

test("an undefined value is a sequence, unsafe attributes included, as in Jinja", () => {
  const render = (text: string) => new Template(text).render({}).text;
  expect(render("{{ x is sequence }} {{ (2.5).__class__ is sequence }} {{ x is mapping }}")).toBe("True True False");
});
