/**
 * A JSON schema as a grammar of texts that fulfil it. Not every such text is in it: properties come in the schema's order, and where
 * a schema names properties, no others are written. A keyword that could not be kept is refused.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { isObject } from "../../core/python-json.ts";
import { choice, type Grammar, later, literal, sequence } from "./grammar.ts";
import { integerRange, LARGEST } from "./integer-range.ts";
import {
  anyValue,
  boolean,
  comma,
  decimal,
  enclosed,
  integer,
  items,
  member,
  objectOf,
  space,
  stringOf,
} from "./json-text.ts";

/** A schema as in https://json-schema.org: an object, or true for any JSON. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

type Schema = { readonly [keyword: string]: unknown };

/** Keywords that say nothing about which JSON is valid. */
const annotations = [
  ...["$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples"],
  ...["deprecated", "readOnly", "writeOnly", "format"],
];

/** The keywords of each type. */
const keywords: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
  string: ["minLength", "maxLength"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: [],
  boolean: [],
  null: [],
};

/** The texts of a schema, a blank in front allowed. Throws FormatError or UnsupportedError that names the keyword and its place. */
export function grammarOf(schema: JsonSchema): Grammar {
  return sequence(space, new Reader(schema).read(schema, "#"));
}

class Reader {
  readonly #root: JsonSchema;
  readonly #references = new Map<string, Grammar>();

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  read(schema: unknown, at: string): Grammar {
    if (schema === true) return anyValue;
    if (!isObject(schema))
      throw new FormatError(`jsonSchema: ${at} is ${JSON.stringify(schema)}, expected an object or true`);
    if ("$ref" in schema) return this.#reference(only(schema, at, ["$ref"]).$ref, at);
    if ("const" in schema) return literal(JSON.stringify(only(schema, at, ["const", "type"]).const));
    if ("enum" in schema) {
      const values = listOf(only(schema, at, ["enum", "type"]).enum, `${at}/enum`);
      return choice(...values.map((value) => literal(JSON.stringify(value))));
    }
    for (const key of ["anyOf", "oneOf", "allOf"] as const) {
      if (!(key in schema)) continue;
      const parts = listOf(only(schema, at, [key])[key], `${at}/${key}`);
      if (key !== "anyOf" && parts.length > 1)
        throw new UnsupportedError(
          `jsonSchema: "${key}" at ${at} has ${parts.length} schemas, expected one; anyOf may have several`,
        );
      return choice(...parts.map((part, i) => this.read(part, `${at}/${key}/${i}`)));
    }
    const types = typesOf(schema, at);
    only(schema, at, ["type", ...types.flatMap((type) => keywords[type]!)]);
    return types.length === 0 ? anyValue : choice(...types.map((type) => this.#ofType(type, schema, at)));
  }

  #ofType(type: string, schema: Schema, at: string): Grammar {
    if (type === "object") return this.#object(schema, at);
    if (type === "array") return this.#array(schema, at);
    if (type === "string") return stringOf(...limits(schema, at, "minLength", "maxLength"));
    if (type === "integer") return integers(schema, at);
    return { number: decimal, boolean, null: literal("null") }[type]!;
  }

  #object(schema: Schema, at: string): Grammar {
    const { properties = {}, required = [], additionalProperties: others = true } = schema;
    if (!isObject(properties)) throw wrong(`${at}/properties`, properties, "an object");
    const needed = Array.isArray(required) ? (required as string[]) : [];
    if (!Array.isArray(required)) throw wrong(`${at}/required`, required, "a list of names");
    const unnamed = needed.filter((name) => !Object.hasOwn(properties, name));
    if (others === false && unnamed.length > 0)
      throw new FormatError(
        `jsonSchema: ${at} requires ${JSON.stringify(unnamed[0])}, which its properties do not have`,
      );
    const names = [...Object.keys(properties), ...unnamed];
    const schemaOf = (name: string) =>
      Object.hasOwn(properties, name)
        ? this.read(properties[name], `${at}/properties/${name}`)
        : this.read(others, `${at}/additionalProperties`);
    if (names.length === 0) return others === false ? enclosed("{", sequence(), "}") : objectOf(this.read(others, at));
    const members = names.map((name) => member(literal(JSON.stringify(name)), schemaOf(name)));
    const rest = memberLists(members, (i) => needed.includes(names[i]!));
    return enclosed("{", rest, "}");
  }

  #array(schema: Schema, at: string): Grammar {
    const [least, most] = limits(schema, at, "minItems", "maxItems");
    const first = schema.prefixItems === undefined ? [] : listOf(schema.prefixItems, `${at}/prefixItems`);
    const others = schema.items ?? true;
    if (first.length === 0) {
      if (others === false) return enclosed("[", sequence(), "]");
      return enclosed("[", items(this.read(others, `${at}/items`), least, most), "]");
    }
    const given = first.map((part, i) => this.read(part, `${at}/prefixItems/${i}`));
    const isExact = others === false || most === first.length;
    if (!isExact || least > first.length || most < first.length)
      throw new UnsupportedError(`jsonSchema: "prefixItems" at ${at} is supported with "items": false alone`);
    return enclosed("[", sequence(...given.flatMap((part, i) => (i === 0 ? [part] : [comma, part]))), "]");
  }

  #reference(pointer: unknown, at: string): Grammar {
    if (typeof pointer !== "string" || !pointer.startsWith("#"))
      throw new UnsupportedError(
        `jsonSchema: "$ref" at ${at} is ${JSON.stringify(pointer)}, expected a place in the schema, such as "#/$defs/name"`,
      );
    const known = this.#references.get(pointer);
    if (known) return known;
    let made: Grammar | undefined;
    const grammar = later(() => made!);
    this.#references.set(pointer, grammar);
    made = this.read(this.#find(pointer, at), pointer);
    return grammar;
  }

  #find(pointer: string, at: string): unknown {
    const steps = pointer
      .slice(1)
      .split("/")
      .filter((step) => step !== "");
    return steps.reduce<unknown>((found, step) => {
      const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
      if (typeof found === "object" && found !== null && Object.hasOwn(found, key)) return (found as Schema)[key];
      throw new FormatError(`jsonSchema: "$ref" at ${at} is "${pointer}", and the schema has no such place`);
    }, this.#root);
  }
}

/** Members in order, those that are not required also left out. A comma stands before each but the first that is written. */
function memberLists(members: readonly Grammar[], isRequired: (i: number) => boolean): Grammar {
  const from = (i: number, isFirst: boolean): Grammar => {
    if (i === members.length) return sequence();
    const written = sequence(...(isFirst ? [] : [comma]), members[i]!, tails[1]![i + 1]!);
    return isRequired(i) ? written : choice(written, tails[isFirst ? 0 : 1]![i + 1]!);
  };
  const tails = [true, false].map((isFirst) =>
    Array.from({ length: members.length + 1 }, (_, i) => {
      let made: Grammar | undefined;
      return later(() => {
        made ??= from(i, isFirst);
        return made;
      });
    }),
  );
  return tails[0]![0]!;
}

function integers(schema: Schema, at: string): Grammar {
  const bound = (key: string) => {
    const value = schema[key];
    if (value === undefined || typeof value === "number") return value;
    throw wrong(`${at}/${key}`, value, "a number");
  };
  if (keywords.integer!.every((key) => bound(key) === undefined)) return integer;
  const low = Math.max(
    -LARGEST,
    Math.ceil(bound("minimum") ?? -LARGEST),
    Math.floor(bound("exclusiveMinimum") ?? -LARGEST - 1) + 1,
  );
  const high = Math.min(
    LARGEST,
    Math.floor(bound("maximum") ?? LARGEST),
    Math.ceil(bound("exclusiveMaximum") ?? LARGEST + 1) - 1,
  );
  if (low <= high) return integerRange(low, high);
  throw new FormatError(`jsonSchema: no whole number is from ${low} to ${high}, as ${at} says`);
}

function typesOf(schema: Schema, at: string): string[] {
  const implied = Object.keys(keywords).find((type) => keywords[type]!.some((key) => key in schema));
  const types = schema.type === undefined ? [implied ?? []].flat() : [schema.type].flat();
  const unknown = types.find((type) => typeof type !== "string" || !Object.hasOwn(keywords, type));
  if (unknown === undefined) return types as string[];
  throw wrong(`${at}/type`, unknown, `one of ${Object.keys(keywords).join(", ")}`);
}

/** Throws UnsupportedError for a keyword that is not one of these and would have to be kept. */
function only(schema: Schema, at: string, known: readonly string[]): Schema {
  const other = Object.keys(schema).find((key) => !known.includes(key) && !annotations.includes(key));
  if (other === undefined) return schema;
  throw new UnsupportedError(
    `jsonSchema: "${other}" at ${at} is not supported there, expected one of ${known.join(", ")}; leave it out and check the answer, or describe it otherwise`,
  );
}

function limits(schema: Schema, at: string, least: string, most: string): [number, number] {
  const [low, high] = [schema[least] ?? 0, schema[most] ?? Number.POSITIVE_INFINITY] as [number, number];
  if (!Number.isSafeInteger(low) || low < 0) throw wrong(`${at}/${least}`, low, "a whole number of at least 0");
  if (most in schema && (!Number.isSafeInteger(high) || high < low))
    throw wrong(`${at}/${most}`, high, `a whole number of at least ${low}`);
  return [low, high];
}

function listOf(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw wrong(at, value, "a list with something in it");
}

function wrong(at: string, value: unknown, expected: string): FormatError {
  return new FormatError(`jsonSchema: ${at} is ${JSON.stringify(value)}, expected ${expected}`);
}
