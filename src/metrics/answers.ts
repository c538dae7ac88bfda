/**
 * Scores answers to questions as SQuAD v1.1 does: words without case, punctuation, articles and extra blanks; exact
 * match, and F1 over the words that the answer shares with the correct one. If there are several correct answers, the
 * best match counts.
 */

/** The maximum number of tokens in an answer. */
const LONGEST = 30;
const ARTICLES = /(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu;
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** A text normalized for comparison. */
export function normalizeAnswer(text: string): string {
  const words = text.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ");
  return words
    .split(/\s+/)
    .filter((word) => word !== "")
    .join(" ");
}

/** Mean exact match and F1 from 0 to 1; if there is no correct answer, an empty one is correct. */
export function answerScores(
  predicted: readonly string[],
  answers: readonly (readonly string[])[],
): Record<string, number> {
  let [exact, f1] = [0, 0];
  answers.forEach((texts, i) => {
    const wanted = texts.length === 0 ? [""] : texts;
    exact += Math.max(...wanted.map((text) => Number(normalizeAnswer(text) === normalizeAnswer(predicted[i]!))));
    f1 += Math.max(...wanted.map((text) => wordF1(predicted[i]!, text)));
  });
  const n = Math.max(1, answers.length);
  return { exact_match: exact / n, f1: f1 / n };
}

function wordF1(predicted: string, truth: string): number {
  const [found, wanted] = [predicted, truth].map((text) => normalizeAnswer(text).split(" ").filter(Boolean));
  if (found!.length === 0 || wanted!.length === 0) return Number(found!.length === wanted!.length);
  const left = new Map<string, number>();
  for (const word of wanted!) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of found!) {
    const count = left.get(word) ?? 0;
    if (count > 0) shared++;
    left.set(word, count - 1);
  }
  return (2 * shared) / (found!.length + wanted!.length);
}

/**
 * The best answer: the positions [first, last] inside the context with the largest sum of the two scores, at most 30
 * tokens. `logits` [T · 2] are the scores of each token as the first and as the last token.
 */
export function bestSpan(logits: ArrayLike<number>, offsets: readonly (unknown | null)[]): [number, number] {
  let best: [number, number] = [0, 0];
  let highest = Number.NEGATIVE_INFINITY;
  for (let first = 0; first < offsets.length; first++) {
    if (offsets[first] === null) continue;
    for (let last = first; last < Math.min(offsets.length, first + LONGEST); last++) {
      const score = logits[first * 2]! + logits[last * 2 + 1]!;
      if (offsets[last] === null || !(score > highest)) continue;
      highest = score;
      best = [first, last];
    }
  }
  return best;
}
