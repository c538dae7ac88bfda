/** Changes what is inside pictures, zips and gzip files, and makes their checksums true again. */
import { crc32, deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { joined, mutateBytes } from "./bytes.mjs";
import { mutateText } from "./text.mjs";

const crc = crc32 ?? crcOf; // Node 20 has none

export function mutatePng(bytes, random, others) {
  if (random.chance(0.3)) return mutateBytes(bytes, random, others);
  const chunks = chunksOf(bytes);
  if (chunks.length === 0) return mutateBytes(bytes, random, others);
  const at = random.below(chunks.length);
  const chunk = chunks[at];
  switch (random.below(6)) {
    case 0:
      chunks.splice(at, 1);
      break;
    case 1:
      chunks.splice(random.below(chunks.length), 0, chunk);
      break;
    case 2:
      chunks[at] = {
        ...chunk,
        type: random.pick(["IHDR", "IDAT", "IEND", "PLTE", "tRNS", "iCCP", "zTXt", "abCd", "ABCD"]),
      };
      break;
    case 3:
      if (chunk.type === "IDAT") chunks[at] = { ...chunk, data: repacked(chunk.data, random) };
      else chunks[at] = { ...chunk, data: mutateBytes(chunk.data, random) };
      break;
    default:
      chunks[at] = { ...chunk, data: mutateBytes(chunk.data, random) };
  }
  return joined(bytes.subarray(0, 8), ...chunks.map(encodeChunk));
}

function repacked(data, random) {
  try {
    const raw = inflateSync(data);
    const bomb = random.chance(0.01) ? new Uint8Array(20_000_000) : new Uint8Array();
    return deflateSync(joined(mutateBytes(raw, random), bomb));
  } catch {
    return mutateBytes(data, random);
  }
}

function chunksOf(bytes) {
  const chunks = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function encodeChunk({ type, data }) {
  const named = joined(Buffer.from(type, "latin1"), data);
  const sizes = new DataView(new ArrayBuffer(8));
  sizes.setUint32(0, data.length);
  sizes.setUint32(4, crc(named));
  return joined(new Uint8Array(sizes.buffer, 0, 4), named, new Uint8Array(sizes.buffer, 4, 4));
}

export function mutateGzip(bytes, random, others) {
  if (random.chance(0.4)) return mutateBytes(bytes, random, others);
  try {
    const inner = gunzipSync(bytes, { maxOutputLength: 2 ** 22 });
    if (random.chance(0.004)) return gzipSync(new Uint8Array(2 ** 26).fill(0x61));
    return gzipSync(random.chance(0.5) ? mutateText(inner, random) : mutateBytes(inner, random), { level: 1 });
  } catch {
    return mutateBytes(bytes, random, others);
  }
}

/** Changes stored entries of a zip, and sets the checksums that they then have. */
export function mutateZip(bytes, random, others) {
  if (random.chance(0.4)) return mutateBytes(bytes, random, others);
  const made = Uint8Array.from(bytes);
  const view = new DataView(made.buffer);
  const entries = [];
  for (let at = 0; at + 46 <= made.length; at++) {
    if (view.getUint32(at, true) === 0x02014b50) entries.push(at);
  }
  if (entries.length === 0) return mutateBytes(bytes, random, others);
  const entry = random.pick(entries);
  const [size, local] = [view.getUint32(entry + 20, true), view.getUint32(entry + 42, true)];
  if (local + 30 > made.length || view.getUint16(entry + 10, true) !== 0) return mutateBytes(bytes, random, others);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + size > made.length) return mutateBytes(bytes, random, others);
  for (let left = 1 + random.below(3); left > 0 && size > 0; left--) {
    const kept = mutateBytes(made.subarray(start, start + size), random);
    made.set(kept.subarray(0, size), start);
  }
  const sum = crc(made.subarray(start, start + size));
  view.setUint32(entry + 16, sum, true);
  view.setUint32(local + 14, sum, true);
  return made;
}

function crcOf(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
