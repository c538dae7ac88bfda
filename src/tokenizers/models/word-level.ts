/** Whole words as tokens. Rust counterpart: `models/wordlevel/mod.rs`. */
import { FormatError } from "../../core/errors.ts";
import type { Fields } from "../fields.ts";
import { type TokenModel, whole } from "./model.ts";
import { readVocabulary } from "./vocabulary.ts";

export function readWordLevel(fields: Fields): TokenModel {
  fields.only("unk_token", "vocab");
  const unknown = fields.string("unk_token");
  const vocabulary = readVocabulary(fields);
  return {
    size: vocabulary.size,
    idEnd: vocabulary.idEnd,
    tokenToId: (token) => vocabulary.ids.get(token),
    idToToken: (id) => vocabulary.token(id),
    tokenize(word) {
      const id = vocabulary.ids.get(word);
      if (id !== undefined) return whole(word, id, word);
      const unknownId = vocabulary.ids.get(unknown);
      if (unknownId !== undefined) return whole(word, unknownId, unknown);
      throw new FormatError(
        `${JSON.stringify(word.slice(0, 40))} is not in the vocabulary, and neither is ${fields.path}.unk_token ` +
          JSON.stringify(unknown),
      );
    },
  };
}
