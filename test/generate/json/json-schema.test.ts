/** Texts of schemas: every one is valid JSON of its schema, and valid JSON in the usual form is one. */
import { expect, test } from "vitest";
import { Philox } from "../../../src/core/random/philox.ts";
import { Automaton, type State } from "../../../src/generate/json/grammar.ts";
import { grammarOf, type JsonSchema } from "../../../src/generate/json/json-schema.ts";

/** Whether a whole text is allowed. */
function accepts(automaton: Automaton, text: string): boolean {
  let state: State | null = automaton.start;
  for (const code of new TextEncoder().encode(text)) if (state) state = automaton.step(state, code);
  return state?.ends === true;
}

/** A text drawn byte by byte; shorter ways first, so that it ends. */
function drawn(automaton: Automaton, random: Philox): string {
  const codes: number[] = [];
  let state = automaton.start;
  while (codes.length < 400) {
    const next = Array.from({ length: 256 }, (_, code) => automaton.step(state, code)).flatMap((after, code) =>
      after === null ? [] : [{ after, code }],
    );
    if (state.ends && (next.length === 0 || random.uniform() < 0.5)) break;
    const closing = next.filter(({ code }) => '"]}'.includes(String.fromCharCode(code)));
    const from = closing.length > 0 && random.uniform() < 0.4 ? closing : next;
    const { after, code } = from[Math.floor(random.uniform() * from.length)]!;
    state = after;
    codes.push(code);
  }
  return state.ends ? new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(codes)) : "";
}

const $defs = {
  tree: { type: "object", properties: { v: { type: "integer" }, left: { $ref: "#/$defs/tree" } }, required: ["v"] },
};

const schemas: readonly [name: string, schema: JsonSchema, valid: readonly unknown[], invalid: readonly unknown[]][] = [
  ["anything", true, [1, "a", null, [1, { b: [] }], { "": -0.5 }], []],
  [
    "a string of some characters",
    { type: "string", minLength: 2, maxLength: 3 },
    ["ab", "äöü", "😀\n"],
    ["a", "abcd", 3],
  ],
  ["a number", { type: "number" }, [0, -1.5, 1e21, 3], ["3", null]],
  [
    "a whole number of a range",
    { type: "integer", minimum: -12, exclusiveMaximum: 105 },
    [-12, 0, 104, -5],
    [-13, 105, 1.5],
  ],
  ["one of some values", { enum: ["red", 3, null, { a: [1] }] }, ["red", 3, null, { a: [1] }], ["blue", 4]],
  ["a value", { const: { type: "x" } }, [{ type: "x" }], [{ type: "y" }]],
  ["several types", { type: ["string", "null"], maxLength: 4 }, [null, "abcd"], ["abcde", 1]],
  [
    "a list",
    { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 3 },
    [[true], [true, false, true]],
    [[], [1], [true, true, true, true]],
  ],
  [
    "a pair",
    { type: "array", prefixItems: [{ type: "integer" }, { type: "null" }], items: false },
    [[3, null]],
    [[3], [3, null, 1], [null, 3]],
  ],
  ["a map", { type: "object", additionalProperties: { type: "integer" } }, [{}, { a: 1, b: 2 }], [{ a: "x" }, []]],
  [
    "an object with optional properties",
    {
      type: "object",
      properties: { a: { type: "null" }, b: { type: "integer" }, c: { type: "null" } },
      required: ["b"],
      additionalProperties: false,
    },
    [{ b: 1 }, { a: null, b: 1 }, { b: 1, c: null }, { a: null, b: 1, c: null }],
    [{}, { a: null }, { a: null, c: null }, { b: null }, { b: 1, d: 1 }],
  ],
  [
    "required properties without a schema",
    { required: ["x"], properties: { y: { type: "null" } } },
    [{ x: [1] }, { y: null, x: "a" }],
    [{ y: null }],
  ],
  [
    "alternatives",
    { anyOf: [{ type: "integer" }, { type: "array", items: { type: "integer" }, maxItems: 2 }] },
    [3, [], [1, 2]],
    ["3", [1, 2, 3]],
  ],
  [
    "a recursive one",
    { $ref: "#/$defs/tree", $defs },
    [{ v: 1 }, { v: 1, left: { v: 2, left: { v: 3 } } }],
    [{ left: { v: 1 } }, { v: 1, left: {} }],
  ],
];

test.each(schemas)("%s", (_, schema, valid, invalid) => {
  const automaton = new Automaton(grammarOf(schema));
  const forms = (value: unknown) => [
    JSON.stringify(value),
    JSON.stringify(value, null, 2),
    ` ${JSON.stringify(value)}`,
  ];
  const isPlain = schema === true || !("enum" in (schema as object) || "const" in (schema as object)); // others have blanks
  for (const value of valid)
    for (const text of isPlain ? forms(value) : [JSON.stringify(value)])
      expect(accepts(automaton, text), text).toBe(true);
  for (const value of invalid) for (const text of forms(value)) expect(accepts(automaton, text), text).toBe(false);
  for (const text of ["", "{", "[1,]", "01", "+1", ".5", "tru", '"\u0001"', "{'a':1}", '{"a":1,}', '"\\ud800"']) {
    expect(accepts(automaton, text), text).toBe(false);
  }
});

test.each(schemas)("what is drawn from %s is valid", (_, schema) => {
  const automaton = new Automaton(grammarOf(schema));
  const random = new Philox(7);
  const texts = Array.from({ length: 60 }, () => drawn(automaton, random)).filter((text) => text !== "");
  expect(texts.length).toBeGreaterThan(20);
  for (const text of texts) expect(isValid(schema, JSON.parse(text), schema), text).toBe(true);
});

test("a range of whole numbers has all of them and no others", () => {
  for (const [minimum, maximum] of [
    [0, 0],
    [-3, -3],
    [-120, 7],
    [8, 12],
    [95, 1203],
    [1, 999],
    [-1000, -99],
  ] as const) {
    const automaton = new Automaton(grammarOf({ type: "integer", minimum, maximum }));
    for (let n = -1300; n <= 1300; n++)
      expect(accepts(automaton, String(n)), `${n}`).toBe(n >= minimum && n <= maximum);
  }
});

test.each<[JsonSchema, string]>([
  [
    { type: "string", pattern: "a" },
    '"pattern" at # is not supported there, expected one of type, minLength, maxLength',
  ],
  [{ properties: { a: { type: "number", minimum: 0 } } }, '"minimum" at #/properties/a is not supported'],
  [{ type: "strin" }, '#/type is "strin", expected one of object, array'],
  [{ type: "array", uniqueItems: true }, '"uniqueItems" at #'],
  [{ anyOf: [] }, "#/anyOf is [], expected a list with something in it"],
  [{ anyOf: [{}], type: "string" }, '"type" at # is not supported there'],
  [{ oneOf: [{ type: "null" }, {}] }, '"oneOf" at # has 2 schemas, expected one; anyOf may have several'],
  [{ $ref: "other.json" }, 'expected a place in the schema, such as "#/$defs/name"'],
  [{ $ref: "#/$defs/a" }, "the schema has no such place"],
  [{ properties: {}, required: ["a"], additionalProperties: false }, '# requires "a"'],
  [{ type: "integer", minimum: 3, maximum: 2 }, "no whole number is from 3 to 2"],
  [{ type: "string", minLength: 3, maxLength: 2 }, "#/maxLength is 2, expected a whole number of at least 3"],
  [{ properties: { a: false } }, "#/properties/a is false, expected an object or true"],
])("%j is refused", (schema, message) => {
  expect(() => new Automaton(grammarOf(schema))).toThrow(message);
});

/** What JSON Schema says of the keywords above. */
function isValid(schema: JsonSchema, value: unknown, root: JsonSchema): boolean {
  if (typeof schema === "boolean") return schema;
  const s = schema as Readonly<Record<string, unknown>>;
  const same = (a: unknown) => JSON.stringify(a) === JSON.stringify(value);
  if ("$ref" in s) return isValid($defs.tree as JsonSchema, value, root);
  if ("const" in s) return same(s.const);
  if ("enum" in s) return (s.enum as unknown[]).some(same);
  if ("anyOf" in s) return (s.anyOf as JsonSchema[]).some((each) => isValid(each, value, root));
  const typeOf = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const types = [s.type ?? []].flat() as string[];
  const isType = types.length === 0 || types.includes(typeOf) || (Number.isInteger(value) && types.includes("integer"));
  if (!isType) return false;
  const within = (n: number, least: unknown, most: unknown) => !(n < (least as number)) && !(n > (most as number));
  if (typeof value === "string") return within([...value].length, s.minLength, s.maxLength);
  if (typeof value === "number") return within(value, s.minimum, s.maximum) && !(value >= Number(s.exclusiveMaximum));
  if (Array.isArray(value)) {
    const first = (s.prefixItems ?? []) as JsonSchema[];
    const rest = (s.items ?? true) as JsonSchema;
    return (
      within(value.length, s.minItems, s.maxItems) && value.every((each, i) => isValid(first[i] ?? rest, each, root))
    );
  }
  if (typeof value !== "object" || value === null) return true;
  const properties = (s.properties ?? {}) as Record<string, JsonSchema>;
  const others = (s.additionalProperties ?? true) as JsonSchema;
  const has = ((s.required ?? []) as string[]).every((name) => Object.hasOwn(value, name));
  return has && Object.entries(value).every(([name, each]) => isValid(properties[name] ?? others, each, root));
}
