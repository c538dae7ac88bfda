/** A character goes from the ends of each token. Rust counterpart: `decoders/strip.rs`. */
import type { Fields } from "../fields.ts";
import type { PieceDecoder } from "./decoder.ts";

export function readStripDecoder(fields: Fields): PieceDecoder {
  fields.only("content", "start", "stop");
  const [content, start, stop] = [fields.char("content"), fields.count("start"), fields.count("stop")];
  return (tokens) =>
    tokens.map((token) => {
      let [from, to] = [0, token.length];
      for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
      for (let i = 0; i < stop && to > from && token.slice(0, to).endsWith(content); i++) to -= content.length;
      return token.slice(from, to);
    });
}
