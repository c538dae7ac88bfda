/** Processors that forbid tokens, or make sequences of them more or less likely. */
import { type LogitsProcessor, setScores } from "./logits-processor.ts";

/** A sequence of ids and what is added to the score of its last id when the others are the last of the text. */
export type SequenceBias = readonly [ids: readonly number[], bias: number];

export function sequenceBias(biases: readonly SequenceBias[]): LogitsProcessor {
  return (ids, scores) => {
    for (const [sequence, bias] of biases) {
      const prefix = sequence.slice(0, -1);
      const start = ids.length - prefix.length;
      if (sequence.length > Math.max(1, ids.length) || !prefix.every((id, i) => ids[start + i] === id)) continue;
      scores[sequence.at(-1)!]! += bias;
    }
  };
}

/** Sequences of ids that are never written. One that is an end token alone is left out, as in transformers. */
export function badWords(words: readonly (readonly number[])[], stops: ReadonlySet<number>): LogitsProcessor {
  const kept = words.filter((word) => !(word.length === 1 && stops.has(word[0]!)));
  return sequenceBias(kept.map((word) => [word, Number.NEGATIVE_INFINITY]));
}

/** Ids that are never written. */
export function suppressTokens(tokens: readonly number[]): LogitsProcessor {
  return (_, scores) => setScores(scores, tokens, Number.NEGATIVE_INFINITY);
}

/** Ids that are not written when the text has this length. */
export function suppressTokensAt(tokens: readonly number[], length: number): LogitsProcessor {
  const suppress = suppressTokens(tokens);
  return (ids, scores) => {
    if (ids.length === length) suppress(ids, scores);
  };
}
