/** Processors that say where a text begins and ends. Lengths count the prompt, or the start token of an encoder-decoder. */
import { type LogitsProcessor, setScores } from "./logits-processor.ts";

/** The text does not end before it has this many tokens. */
export function minLength(length: number, stops: ReadonlySet<number>): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length < length) setScores(scores, stops, Number.NEGATIVE_INFINITY);
  };
}

/** When the text has this length, the next token is one of these. */
export function forcedTokens(tokens: readonly number[], length: number): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length !== length) return;
    scores.fill(Number.NEGATIVE_INFINITY);
    setScores(scores, tokens, 0);
  };
}

/** Beyond this length the end becomes likelier with each token: score + |score| · (factor^(tokens beyond) - 1). */
export function exponentialDecayLengthPenalty(
  start: number,
  factor: number,
  stops: ReadonlySet<number>,
): LogitsProcessor {
  return (ids, scores) => {
    const beyond = ids.length - start;
    if (beyond <= 0) return;
    for (const id of stops) scores[id]! += Math.abs(scores[id]!) * (factor ** beyond - 1);
  };
}
