/** The model of a tokenizer.json. Rust counterpart: `models/mod.rs`. */
import { byType, type Fields } from "../fields.ts";
import { readBpe } from "./bpe.ts";
import type { TokenModel } from "./model.ts";
import { readUnigram } from "./unigram.ts";
import { readWordLevel } from "./word-level.ts";
import { readWordPiece } from "./word-piece.ts";

/** Old files do not name the type: the fields determine it. */
export function readModel(fields: Fields): TokenModel {
  if (fields.raw("type") !== undefined) {
    return byType(fields, { BPE: readBpe, WordPiece: readWordPiece, WordLevel: readWordLevel, Unigram: readUnigram });
  }
  if (fields.has("merges")) return readBpe(fields);
  if (fields.has("max_input_chars_per_word")) return readWordPiece(fields);
  return fields.has("unk_token") ? readWordLevel(fields) : readUnigram(fields);
}
