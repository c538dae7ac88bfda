/** Parquet files, as data sets on the hub are kept. */
import { FormatError } from "../../core/errors.ts";
import type { JsonRow } from "../../tasks/kit/define-row.ts";
import type { FileRecord } from "./record.ts";

/** The rows of a Parquet file, numbered from 1. Throws FormatError for a file that cannot be read. */
export async function parquetRecords(file: string, bytes: Uint8Array): Promise<FileRecord[]> {
  const { parquetReadObjects } = await import("hyparquet");
  const buffer = bytes.slice().buffer;
  try {
    const rows = await parquetReadObjects({ file: buffer });
    return rows.map((row, i) => ({ line: i + 1, row: plain(row) as JsonRow }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(
      `data file "${file}" cannot be read as Parquet: ${reason}. If it is another kind of file, rename it`,
      { cause },
    );
  }
}

/** A value as JSON has it: whole numbers are numbers where they fit, typed arrays are lists. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
