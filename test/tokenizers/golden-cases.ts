/** Goldens of test/golden/tokenizers: what Rust's tokenizers make of texts, with a tokenizer.json for each part of the format. */
import { readFileSync } from "node:fs";

export interface GoldenCase {
  readonly name: string;
  /** The contents of a tokenizer.json. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly rows: readonly GoldenRow[];
}

export interface GoldenRow {
  readonly text: string;
  readonly pair: string | null;
  readonly ids: readonly number[];
  readonly offsets: readonly (readonly [number, number])[];
  readonly decoded: string;
  /** Decoded without special tokens. */
  readonly skipped: string;
}

interface File {
  readonly models: readonly unknown[];
  readonly texts: readonly string[];
  readonly cases: Readonly<Record<string, { tokenizer: { model: number }; rows: readonly PackedRow[] }>>;
}
type PackedRow = readonly [text: number, ids: number[], offsets: number[], decoded: string, skipped?: string];

/** `pairOf` tells the second text of row `i`, which the file does not hold. */
export function goldenCases(name: string, pairOf: (kind: string, i: number) => number | null): GoldenCase[] {
  const path = new URL(`../golden/tokenizers/${name}.json`, import.meta.url);
  const { models, texts, cases }: File = JSON.parse(readFileSync(path, "utf8"));
  return Object.entries(cases).map(([kind, { tokenizer, rows }]) => ({
    name: kind,
    json: { version: "1.0", added_tokens: [], ...tokenizer, model: models[tokenizer.model] },
    rows: rows.map(([text, ids, places, decoded, skipped = decoded]) => {
      const pair = pairOf(kind, text);
      const offsets = ids.map((_, i): [number, number] => [places[2 * i]!, places[2 * i + 1]!]);
      return {
        text: texts[text]!,
        pair: pair === null ? null : texts[pair % texts.length]!,
        ids,
        offsets,
        decoded,
        skipped,
      };
    }),
  }));
}
