/**
 * Finds the entries of a zip archive (PKWARE's APPNOTE, including its 64-bit form): the end of the file points to the
 * central directory, and that points to each entry's own header, which locates its bytes.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";

/** Bytes [start, end) of the file. */
export interface ZipEntry {
  readonly start: number;
  readonly end: number;
}

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const MAX_COMMENT = 0xffff;
/** In a 32-bit field, this means "see the 64-bit field". */
const ELSEWHERE = 0xffffffff;
const ZIP_64 = 1;
/** A model has some thousand entries of about a hundred bytes each. */
const MAX_TABLE = 16e6;
/** Entries whose headers are read together: hosts limit the number of open files. */
const READ_AT_ONCE = 32;

/**
 * Entries by name. Throws UnsupportedError for a compressed one, FormatError if the archive is corrupted or truncated.
 */
export async function openZip(source: Source, file: string): Promise<ReadonlyMap<string, ZipEntry>> {
  const what = `"${file}" in ${source.name}`;
  const size = await source.size(file);
  const read = async (start: number, end: number): Promise<DataView> => {
    if (!(start >= 0 && start <= end && end <= size))
      throw damaged(what, `points at bytes ${start} to ${end} of ${size}`);
    const bytes = await source.read(file, start, end);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const { start, end } = await findTable(read, size, what);
  if (end - start > MAX_TABLE)
    throw damaged(what, `has a table of ${end - start} bytes, expected at most ${MAX_TABLE}`);
  const listed = readTable(await read(start, end), what);
  const place = async ({ name, header, bytes }: Listed): Promise<[string, ZipEntry]> => {
    const local = await read(header, header + 30);
    if (local.getUint32(0, true) !== LOCAL)
      throw damaged(what, `has no entry "${name}" at the position that its table gives`);
    const from = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    if (from + bytes <= size) return [name, { start: from, end: from + bytes }];
    throw damaged(what, `has ${size} bytes, but "${name}" would end at ${from + bytes}`);
  };
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at < listed.length; at += READ_AT_ONCE) {
    const some = await Promise.all(listed.slice(at, at + READ_AT_ONCE).map(place));
    for (const [name, entry] of some) entries.set(name, entry);
  }
  return entries;
}

type Read = (start: number, end: number) => Promise<DataView>;

async function findTable(read: Read, size: number, what: string): Promise<ZipEntry> {
  const from = Math.max(0, size - END_BYTES - MAX_COMMENT - LOCATOR_BYTES);
  const tail = await read(from, size);
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw damaged(what, "has no table of contents at its end");
  const [bytes, start] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  const locator = at - LOCATOR_BYTES;
  if (locator < 0 || tail.getUint32(locator, true) !== END_64_LOCATOR) return { start, end: start + bytes };
  const place = uint64(tail, locator + 8);
  const end64 = await read(place, place + 56);
  if (end64.getUint32(0, true) !== END_64) throw damaged(what, "has no 64-bit table at the position that it gives");
  const start64 = uint64(end64, 48);
  return { start: start64, end: start64 + uint64(end64, 40) };
}

interface Listed {
  readonly name: string;
  /** The start of the entry's own header. */
  readonly header: number;
  readonly bytes: number;
}

function readTable(table: DataView, what: string): Listed[] {
  const entries: Listed[] = [];
  for (let at = 0; at < table.byteLength; ) {
    if (at + 46 > table.byteLength || table.getUint32(at, true) !== CENTRAL) throw damaged(what, "has a broken table");
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => table.getUint16(at + field, true)) as [
      number,
      number,
      number,
    ];
    const end = at + 46 + nameBytes + extraBytes + commentBytes;
    if (end > table.byteLength) throw damaged(what, "has a broken table");
    const name = new TextDecoder().decode(new Uint8Array(table.buffer, table.byteOffset + at + 46, nameBytes));
    if (table.getUint16(at + 10, true) !== 0) {
      throw new UnsupportedError(`${what}: entry "${name}" is compressed; torch.save stores entries uncompressed`);
    }
    entries.push({ name, ...placeOf(table, at, at + 46 + nameBytes, extraBytes) });
    at = end;
  }
  return entries;
}

/** The offset and size of an entry, which large archives keep in an extra field: in this order, each only if needed. */
function placeOf(table: DataView, at: number, extra: number, extraBytes: number): { header: number; bytes: number } {
  const whole = table.getUint32(at + 24, true);
  const packed = table.getUint32(at + 20, true);
  const header = table.getUint32(at + 42, true);
  if (![whole, packed, header].includes(ELSEWHERE)) return { header, bytes: packed };
  for (let field = extra; field + 4 <= extra + extraBytes; field += 4 + table.getUint16(field + 2, true)) {
    if (table.getUint16(field, true) !== ZIP_64) continue;
    let next = field + 4;
    const [, bytes, start] = [whole, packed, header].map((value) => {
      if (value !== ELSEWHERE) return value;
      next += 8;
      return next <= extra + extraBytes ? uint64(table, next - 8) : Number.NaN;
    });
    return { header: start!, bytes: bytes! };
  }
  return { header: Number.NaN, bytes: Number.NaN };
}

function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function damaged(what: string, fault: string): FormatError {
  return new FormatError(`${what} ${fault}: it is truncated, corrupted or not a zip archive`);
}
