import type { JsonRow } from "../../tasks/kit/define-row.ts";

/** One entry of a data file before it is known what kind of row it is. */
export interface FileRecord {
  /** Where it begins, counted from 1; in a Parquet file, which has no lines, its number. */
  readonly line: number;
  /** Its keys and values, or what is wrong with it. */
  readonly row: JsonRow | string;
  /** The same with the numbers and the order of keys that Python would have. */
  readonly exact?: () => JsonRow;
}
