/** Nearest names for "did you mean", when no name matches exactly. */

/**
 * Edit distance between two words: how many insertions, deletions, substitutions and swaps of neighbors turn one into
 * the other (optimal string alignment).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}

/**
 * The names nearest to `word`, best first, at most `limit`, ignoring case. A name is near if at most a third of the
 * longer one differs (or one edit is enough), or if one contains the other.
 */
export function nearest(word: string, names: Iterable<string>, limit = 3): string[] {
  const wanted = word.toLowerCase();
  const found: { name: string; distance: number }[] = [];
  for (const name of new Set(names)) {
    const candidate = name.toLowerCase();
    const distance = editDistance(wanted, candidate);
    const contains = wanted.length > 2 && (candidate.includes(wanted) || wanted.includes(candidate));
    if (contains || distance <= Math.max(1, Math.max(wanted.length, candidate.length) / 3)) {
      found.push({ name, distance });
    }
  }
  return found
    .sort((a, b) => a.distance - b.distance)
    .slice(0, limit)
    .map((near) => near.name);
}

/** A sentence to append to a message, with a space before it: ` Did you mean "q_proj"?`, or "" when nothing is near. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const near = nearest(word, names).map((name) => `"${name}"`);
  return near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
}
