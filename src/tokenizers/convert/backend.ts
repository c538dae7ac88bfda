/** tokenizer.json while it is being put together: the model, its added tokens, and the parts around it. */
import { FormatError } from "../../core/errors.ts";
import { type Json, shownJson } from "../../core/python-json.ts";
import { readAddedToken as readListedToken } from "../added-tokens.ts";
import { Fields } from "../fields.ts";
import { readPadding } from "../padding.ts";
import { readPreTokenizer } from "../pre-tokenizers/read-pre-tokenizer.ts";
import { readTruncation } from "../truncation.ts";
import { AddedTokenSetting, AddedVocabulary, readAddedToken } from "./added-token.ts";
import { isObject, type JsonFields } from "./json.ts";

const PARTS = ["normalizer", "pre_tokenizer", "post_processor", "decoder"] as const;
type Part = "truncation" | "padding" | (typeof PARTS)[number];

/** Checks what a tokenizer.json says that is replaced before it runs: Rust refuses the file for it. */
function expectReadable(file: Fields): void {
  file.only("version", "truncation", "padding", "added_tokens", ...PARTS, "model");
  if (file.raw("version") !== undefined) file.oneOf("version", ["1.0"]);
  if (file.has("truncation")) readTruncation(file.part("truncation"));
  if (file.has("padding")) readPadding(file.part("padding"));
  if (file.has("pre_tokenizer")) readPreTokenizer(file.part("pre_tokenizer")); // the class may rewrite its add_prefix_space
  if (file.has("added_tokens")) for (const token of file.parts("added_tokens")) readListedToken(token);
}

export class Backend {
  readonly model: JsonFields;
  readonly added: AddedVocabulary;
  readonly parts: Record<Part, JsonFields | null>;

  constructor(model: JsonFields, parts: Partial<Record<Part, JsonFields | null>> = {}) {
    this.model = model;
    const { ids, size } = vocabularyOf(model);
    this.added = new AddedVocabulary(ids, size);
    const none = { truncation: null, padding: null, normalizer: null, pre_tokenizer: null };
    this.parts = { ...none, post_processor: null, decoder: null, ...parts };
  }

  /** Throws FormatError when the file has no model, or a part is not an object, also of parts that are not run. */
  static read(file: JsonFields): Backend {
    expectReadable(new Fields(file, "tokenizer"));
    if (!isObject(file.model)) throw new FormatError('it should have an object "model"');
    const part = (name: Part): JsonFields | null => {
      const value = file[name] ?? null;
      if (value === null || isObject(value)) return value;
      throw new FormatError(`its "${name}" should be an object or null, found ${shownJson(value)}`);
    };
    const backend = new Backend(file.model, {
      truncation: part("truncation"),
      padding: part("padding"),
      normalizer: part("normalizer"),
      pre_tokenizer: part("pre_tokenizer"),
      post_processor: part("post_processor"),
      decoder: part("decoder"),
    });
    const listed = (file.added_tokens ?? []) as readonly Json[];
    backend.added.add(listed.map((token) => readAddedToken(token, '"added_tokens" of tokenizer.json')));
    return backend;
  }

  /** Makes a text of the vocabulary a special token. */
  addSpecial(content: string): void {
    this.added.add([new AddedTokenSetting(content, { special: true })]);
  }

  /** The contents of tokenizer.json as it would be saved, in the order of keys in which it is written. */
  toJson(): JsonFields {
    const { truncation, padding, ...rest } = this.parts;
    return { version: "1.0", truncation, padding, added_tokens: this.added.toJson(), ...rest, model: this.model };
  }

  /** The same as it is run: cut and padded as each call asks, never as the file says. */
  toRunningJson(): JsonFields {
    return { ...this.toJson(), truncation: null, padding: null, added_tokens: this.added.toRunningJson() };
  }
}

/** The numbers of the model's tokens, and how many there are, which is where added tokens begin. */
function vocabularyOf({ vocab }: JsonFields): { ids: ReadonlyMap<string, number>; size: number } {
  if (Array.isArray(vocab)) {
    const ids = new Map((vocab as readonly (readonly [string, number])[]).map(([piece], id) => [piece, id]));
    return { ids, size: vocab.length };
  }
  if (!isObject(vocab)) return { ids: new Map(), size: 0 }; // what runs the model says what is wrong with it
  const ids = new Map(Object.entries(vocab) as [string, number][]);
  return { ids, size: ids.size };
}
