/** Vocabularies as the slow tokenizers of transformers number them. */
import type { SentencePiece } from "./sentencepiece-model.ts";

/** The tokens of a vocabulary file, before any are added. */
export interface SlowVocabulary {
  /** Tokens with their numbers. `added` names the added tokens; some vocabularies let them take a number over. */
  entries(added: ReadonlyMap<number, { readonly content: string }>): Iterable<readonly [string, number]>;
  /** The number of a token, the one of the unknown token if need be; null when there is none either. */
  idOf(token: string, unknown: number | null): number | null;
  /** The token of a number, or null. */
  tokenAt(id: number): string | null;
}

/** A list of words, or the vocabulary of a BPE model. */
export function wordVocabulary(ids: ReadonlyMap<string, number>): SlowVocabulary {
  let tokens: Map<number, string> | null = null;
  return {
    entries: () => ids,
    idOf: (token, unknown) => ids.get(token) ?? unknown,
    tokenAt(id) {
      tokens ??= new Map([...ids].map(([token, number]) => [number, token]));
      return tokens.get(id) ?? null;
    },
  };
}

/**
 * The pieces of a sentencepiece model, moved up by `offset`, with `fixed` tokens at places that are not the model's.
 * `size` is how many numbers there are in all.
 */
export function pieceVocabulary(
  pieces: readonly SentencePiece[],
  unkId: number,
  { offset = 0, fixed = [], size = pieces.length }: PieceLayout = {},
): SlowVocabulary {
  const ids = new Map<string, number>();
  pieces.forEach(({ piece }, id) => {
    if (!ids.has(piece)) ids.set(piece, id);
  });
  const fixedIds = new Map(fixed);
  const fixedTokens = new Map(fixed.map(([token, id]) => [id, token]));
  const tokenAt = (id: number) => fixedTokens.get(id) ?? pieces[id - offset]?.piece ?? null;
  return {
    *entries(added) {
      for (let id = 0; id < size; id++) {
        const token = added.get(id)?.content ?? tokenAt(id);
        if (token !== null) yield [token, id];
      }
    },
    idOf(token, unknown) {
      const own = fixedIds.get(token);
      if (own !== undefined) return own;
      const id = ids.get(token) ?? unkId;
      if (offset === 0) return id;
      return id === 0 ? unknown : id + offset;
    },
    tokenAt,
  };
}

interface PieceLayout {
  readonly offset?: number;
  readonly fixed?: readonly (readonly [string, number])[];
  readonly size?: number;
}

/** Fairseq put four special tokens before the pieces and omitted three of them: all except `<unk>` moved by one. */
export const FAIRSEQ_FIRST = [
  ["<s>", 0],
  ["<pad>", 1],
  ["</s>", 2],
  ["<unk>", 3],
] as const;
