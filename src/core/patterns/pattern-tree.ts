/** A regular expression, taken apart. Two languages are read into it: Oniguruma's (tokenizers) and Python's (adapters). */

export type PatternNode =
  /** One character of a set, which `source` writes as a class of a regular expression with the flag "v". */
  | { readonly kind: "set"; readonly source: string }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly parts: readonly PatternNode[] }
  | {
      readonly kind: "repeat";
      readonly part: PatternNode;
      readonly min: number;
      readonly max: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  /** Once matched, it is not matched another way. */
  | { readonly kind: "atomic"; readonly part: PatternNode }
  | { readonly kind: "look"; readonly part: PatternNode; readonly ahead: boolean; readonly negative: boolean }
  /** The beginning or the end of the text. */
  | { readonly kind: "edge"; readonly atStart: boolean }
  /** What it matches is kept under a number from 1. */
  | { readonly kind: "group"; readonly part: PatternNode; readonly index: number }
  /** The text that a group matched. */
  | { readonly kind: "reference"; readonly index: number };

/** Whether it can match nothing. */
export function canBeEmpty(node: PatternNode): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "sequence":
      return node.parts.every(canBeEmpty);
    case "choice":
      return node.parts.some(canBeEmpty);
    case "repeat":
      return node.min === 0 || canBeEmpty(node.part);
    case "atomic":
    case "group":
      return canBeEmpty(node.part);
    default:
      return true;
  }
}
