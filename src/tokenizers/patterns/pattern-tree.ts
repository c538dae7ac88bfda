/** A pattern of Oniguruma, taken apart. */

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
  | { readonly kind: "edge"; readonly atStart: boolean };
