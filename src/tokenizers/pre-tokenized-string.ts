/**
 * A text in pieces, on its way to words. A piece that is an added token is settled; the others are split further.
 * Rust counterpart: `tokenizer/pre_tokenizer.rs`.
 */
import type { NormalizedString } from "./normalized-string.ts";

export interface Piece {
  readonly normalized: NormalizedString;
  /** The number of the added token that this piece is, or -1. */
  readonly id: number;
}

export class PreTokenizedString {
  pieces: Piece[];

  constructor(normalized: NormalizedString) {
    this.pieces = [{ normalized, id: -1 }];
  }

  /** Puts other pieces in place of each one that is not settled. Empty ones are left out. */
  split(into: (normalized: NormalizedString, push: (part: NormalizedString, id?: number) => void) => void): void {
    const pieces: Piece[] = [];
    const push = (normalized: NormalizedString, id = -1) => {
      if (normalized.text !== "") pieces.push({ normalized, id });
    };
    for (const piece of this.pieces) {
      if (piece.id >= 0) pieces.push(piece);
      else into(piece.normalized, push);
    }
    this.pieces = pieces;
  }
}
