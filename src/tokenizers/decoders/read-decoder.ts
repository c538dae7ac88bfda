/** The decoder of a tokenizer.json. Rust counterpart: `decoders/mod.rs`. */
import { bytesOfLetters } from "../byte-alphabet.ts";
import { byType, type Fields } from "../fields.ts";
import { readPattern } from "../patterns/read-pattern.ts";
import { readMetaspaceFields } from "../pre-tokenizers/metaspace.ts";
import { byteFallback } from "./byte-fallback.ts";
import { cleanUp } from "./cleanup.ts";
import type { PieceDecoder } from "./decoder.ts";
import { readStripDecoder } from "./strip.ts";

export function readDecoder(fields: Fields): PieceDecoder {
  return byType(fields, {
    ...{ BPEDecoder: readBpeDecoder, ByteLevel: readByteLevelDecoder, WordPiece: readWordPieceDecoder, CTC: readCtc },
    ...{ Metaspace: readMetaspaceDecoder, Replace: readReplaceDecoder, Strip: readStripDecoder },
    Fuse: (each) => {
      each.only();
      return (tokens) => [tokens.join("")];
    },
    ByteFallback: (each) => {
      each.only();
      return byteFallback;
    },
    Sequence: (each) => {
      const steps = each.only("decoders").parts("decoders").map(readDecoder);
      return (tokens) => steps.reduce((found, step) => step(found), tokens);
    },
  });
}

/** Rust counterpart: `decoders/bpe.rs`. */
function readBpeDecoder(fields: Fields): PieceDecoder {
  const suffix = fields.only("suffix").string("suffix");
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
}

/** Rust counterpart: `Decoder for ByteLevel` of `pre_tokenizers/byte_level.rs`. */
function readByteLevelDecoder(fields: Fields): PieceDecoder {
  fields.only("add_prefix_space", "trim_offsets", "use_regex");
  for (const key of ["add_prefix_space", "trim_offsets"]) fields.boolean(key); // for encoding
  fields.boolean("use_regex", true);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return (tokens) => {
    const bytes: number[] = [];
    for (const token of tokens) for (const byte of bytesOfLetters(token) ?? encoder.encode(token)) bytes.push(byte);
    return [decoder.decode(Uint8Array.from(bytes))];
  };
}

/** Rust counterpart: `decoders/wordpiece.rs`. */
function readWordPieceDecoder(fields: Fields): PieceDecoder {
  fields.only("prefix", "cleanup");
  const [prefix, cleans] = [fields.string("prefix"), fields.boolean("cleanup")];
  return (tokens) =>
    tokens.map((token, i) => {
      const continues = token.startsWith(prefix);
      const piece = i === 0 ? token : continues ? token.slice(prefix.length) : ` ${token}`;
      return cleans ? cleanUp(piece) : piece;
    });
}

/** Rust counterpart: `decoders/ctc.rs`. */
function readCtc(fields: Fields): PieceDecoder {
  fields.only("pad_token", "word_delimiter_token", "cleanup");
  const [pad, delimiter] = [fields.string("pad_token"), fields.string("word_delimiter_token")];
  const cleans = fields.boolean("cleanup");
  return (tokens) =>
    tokens
      .filter((token, i) => i === 0 || token !== tokens[i - 1])
      .map((token) => {
        const bare = token.replaceAll(pad, "");
        return cleans ? cleanUp(bare).replaceAll(delimiter, " ") : bare;
      })
      .filter((token) => token !== "");
}

/** Rust counterpart: `Decoder for Metaspace` of `pre_tokenizers/metaspace.rs`. */
function readMetaspaceDecoder(fields: Fields): PieceDecoder {
  const { mark, scheme } = readMetaspaceFields(fields);
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && scheme !== "never" ? "" : " "));
}

/** Rust counterpart: `Decoder for Replace` of `normalizers/replace.rs`. */
function readReplaceDecoder(fields: Fields): PieceDecoder {
  fields.only("pattern", "content");
  const find = readPattern(fields);
  const content = fields.string("content");
  return (tokens) =>
    tokens.map((token) => {
      const matches = find(token);
      let text = "";
      for (let m = 0; m < matches.length; m += 3) {
        text += matches[m + 2] === 1 ? content : token.slice(matches[m], matches[m + 1]);
      }
      return text;
    });
}
