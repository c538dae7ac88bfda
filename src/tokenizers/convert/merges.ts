/** The merges of a BPE model, where a file has the pieces only, or lines of text. */

/**
 * The merges that make the pieces of a vocabulary: every way to cut one in two of its pieces, in the order of the scores
 * (the highest first), then of the lengths of both parts (the longest first).
 */
export function mergesOf(pieces: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>): [string, string][] {
  const found: { left: string; right: string; score: number; lengths: [number, number] }[] = [];
  for (const [piece, score] of pieces) {
    const characters = [...piece];
    const cuts: typeof found = [];
    let left = "";
    for (let i = 1; i < characters.length; i++) {
      left += characters[i - 1]!;
      const right = piece.slice(left.length);
      if (ids.has(left) && ids.has(right)) cuts.push({ left, right, score, lengths: [i, characters.length - i] });
    }
    cuts.sort((a, b) => ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!);
    found.push(...cuts);
  }
  found.sort((a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
  return found.map(({ left, right }) => [left, right]);
}

/** What Python counts as blank when it splits or strips a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts four separators among the controls
const BLANKS = /[\t-\r\x1c-\x1f\x85\p{Z}]+/u;

/** The words of a line, as Python's `split()` finds them. */
export function words(line: string): string[] {
  return line.split(BLANKS).filter((word) => word !== "");
}

/** Lines of a text file, whatever ends them. The last is empty when the file ends with one. */
export function lines(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}
