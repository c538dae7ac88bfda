/** Tokens by text and by number. */
import { checkedId, type Fields, isId, isObject, wrong } from "../fields.ts";

export class Vocabulary {
  readonly ids: ReadonlyMap<string, number>;
  readonly idEnd: number;
  readonly #tokens: (string | undefined)[] = [];

  constructor(ids: ReadonlyMap<string, number>) {
    this.ids = ids;
    for (const [token, id] of ids) {
      while (this.#tokens.length < id) this.#tokens.push(undefined);
      this.#tokens[id] = token;
    }
    this.idEnd = this.#tokens.length;
  }

  get size(): number {
    return this.ids.size;
  }

  token(id: number): string | undefined {
    return this.#tokens[id];
  }
}

/** Reads `"vocab": {token: id}`. */
export function readVocabulary(fields: Fields): Vocabulary {
  const json = fields.raw("vocab");
  if (!isObject(json)) throw wrong(`${fields.path}.vocab`, json, "an object of tokens and their numbers");
  const ids = new Map<string, number>();
  for (const token of Object.keys(json)) {
    const id = json[token];
    ids.set(token, isId(id) ? id : checkedId(id, `${fields.path}.vocab[${JSON.stringify(token)}]`));
  }
  return new Vocabulary(ids);
}
