/** Special tokens and texts in any order. Rust counterpart: `processors/template.rs`. */
import { FormatError } from "../../core/errors.ts";
import type { TokenEncoding } from "../encoding.ts";
import { checkedId, type Fields, wrong } from "../fields.ts";
import { specials } from "./around.ts";
import type { PostProcessor } from "./post-processor.ts";
import type { SpecialToken } from "./special-token.ts";

interface Slot {
  readonly sequence: 0 | 1 | null;
  readonly tokens: readonly SpecialToken[];
  readonly type: number;
}

export function readTemplate(fields: Fields): PostProcessor {
  fields.only("single", "pair", "special_tokens");
  const named = readSpecialTokens(fields.part("special_tokens"));
  const [single, pair] = ["single", "pair"].map((key) => fields.parts(key).map((each) => readSlot(each, named)));
  const count = (slots: readonly Slot[]) => slots.reduce((sum, { tokens }) => sum + tokens.length, 0);
  if (single!.some(({ sequence }) => sequence === 1)) {
    throw new FormatError(`${fields.path}.single has the sequence "B"; expected "A" only`);
  }
  return {
    added: (isPair) => count(isPair ? pair! : single!),
    process(encodings, adds) {
      const slots = encodings.length === 2 ? pair! : single!;
      return slots.flatMap(({ sequence, tokens, type }) => {
        if (sequence === null) return adds ? [specials(tokens, type)] : [];
        return [asSequence(encodings[sequence]!, sequence, type)];
      });
    },
  };
}

/** Only the text itself gets the type, not what overflowed from it, as in Rust. */
function asSequence(encoding: TokenEncoding, sequence: number, type: number): TokenEncoding {
  const copy = encoding.copy();
  copy.setType(type);
  copy.setSequence(sequence);
  return copy;
}

function readSlot(fields: Fields, named: ReadonlyMap<string, readonly SpecialToken[]>): Slot {
  const [kind] = fields.only("Sequence", "SpecialToken").keys();
  if (kind === undefined || fields.keys().length !== 1)
    throw wrong(fields.path, fields.keys(), "Sequence or SpecialToken");
  const part = fields.part(kind).only("id", "type_id");
  const type = part.tokenType("type_id");
  if (kind === "Sequence") return { sequence: part.oneOf("id", ["A", "B"]) === "A" ? 0 : 1, tokens: [], type };
  const tokens = named.get(part.string("id"));
  if (tokens !== undefined) return { sequence: null, tokens, type };
  throw new FormatError(`${part.path}.id is ${JSON.stringify(part.string("id"))}, which special_tokens does not have`);
}

function readSpecialTokens(fields: Fields): Map<string, SpecialToken[]> {
  return new Map(fields.keys().map((name) => [name, readTokens(fields.part(name))]));
}

function readTokens(fields: Fields): SpecialToken[] {
  const tokens = fields.only("id", "ids", "tokens").list("tokens");
  fields.string("id");
  const ids = fields.list("ids");
  if (ids.length !== tokens.length) throw wrong(`${fields.path}.ids`, ids.length, `${tokens.length} numbers`);
  return tokens.map(({ value, path }, i) => {
    if (typeof value !== "string") throw wrong(path, value, "a string");
    return { token: value, id: checkedId(ids[i]!.value, ids[i]!.path) };
  });
}
