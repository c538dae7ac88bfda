/** Classes that look like mistakes. */
import { editDistance } from "../core/similar.ts";

/** A class is rare with this many examples, where another has at least ten times as many. */
const RARE = 2;
/** A class may be a typo of one that occurs this many times as often. */
const OFTENER = 20;

/** What people should look at: names that are nearly the same, and classes with next to no examples. */
export function oddClasses(counts: ReadonlyMap<string, number>): string[] {
  const found = [...counts].filter(([, count]) => count > 0);
  const most = Math.max(0, ...found.map(([, count]) => count));
  return found.flatMap(([name, count]) => {
    const twin = found.find(([other, often]) => other !== name && often >= count && isTwin(name, other));
    const typo = found.find(([other, often]) => often >= count * OFTENER && isTypo(name, other));
    const examples = `${count} ${count === 1 ? "example" : "examples"}`;
    if (twin !== undefined && (twin[1] > count || twin[0] < name))
      return [
        `class "${name}" (${examples}) differs from "${twin[0]}" (${twin[1]}) only in case or signs: are they one?`,
      ];
    if (typo !== undefined)
      return [`class "${name}" (${examples}) is spelled almost like "${typo[0]}" (${typo[1]}): a typo?`];
    if (count <= RARE && most >= count * 10) return [`class "${name}" has only ${examples}, too few to learn it`];
    return [];
  });
}

/** Whether two names are the same letters and digits. */
function isTwin(name: string, other: string): boolean {
  const bare = (text: string) =>
    text
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]/gu, "");
  return bare(name) !== "" && bare(name) === bare(other);
}

/** Whether two names are words that differ in one letter, or two of long ones. Numbers, and the marks of B-X and I-X, are meant. */
function isTypo(name: string, other: string): boolean {
  const [a, b] = [name, other].map((text) => text.toLowerCase().replace(/\d+/g, "0")) as [string, string];
  if (a === b || Math.min(a.length, b.length) < 4 || a.slice(1) === b.slice(1)) return false;
  return editDistance(a, b) <= (Math.min(a.length, b.length) < 8 ? 1 : 2);
}
