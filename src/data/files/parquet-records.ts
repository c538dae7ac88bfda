/** Parquet files, as data sets on the hub are kept. */
import type { FileMetaData } from "hyparquet";
import { FormatError } from "../../core/errors.ts";
import type { JsonRow } from "../../tasks/kit/define-row.ts";
import type { FileRecord } from "./record.ts";

/**
 * The rows of a Parquet file, numbered from 1. Throws FormatError for a file that cannot be read, or says that it unpacks to
 * more than `most` bytes.
 */
export async function parquetRecords(file: string, bytes: Uint8Array, most: number): Promise<FileRecord[]> {
  const { parquetMetadata, parquetReadObjects } = await import("hyparquet");
  const buffer = bytes.slice().buffer;
  try {
    const metadata = parquetMetadata(buffer);
    expectSize(metadata, most);
    const rows = await parquetReadObjects({ file: buffer, metadata });
    return rows.map((row, i) => ({ line: i + 1, row: plain(row) as JsonRow }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`data file "${file}" cannot be read as Parquet: ${reason}`, { cause });
  }
}

/** A value takes a byte at least, however few bits it has in the file. */
function expectSize({ row_groups }: FileMetaData, most: number): void {
  const columns = row_groups.flatMap((group) => group.columns.map((column) => column.meta_data));
  const size = columns.reduce((sum, column) => {
    const [bytes, values] = [Number(column?.total_uncompressed_size ?? 0), Number(column?.num_values ?? 0)];
    return sum + Math.max(bytes, values, 0);
  }, 0);
  if (size <= most) return;
  throw new FormatError(
    `it unpacks to ${size} bytes, more than the ${most} that are allowed: raise maxUnpackedBytes, or divide the file`,
  );
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
