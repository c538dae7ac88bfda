import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { mapSource } from "../../src/checkpoint/source.ts";
import { dtypeBytes } from "../../src/core/dtype.ts";
import { FormatError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { sizeOf } from "../../src/core/shape.ts";

const fixtures = ["mixed", "no-metadata", "empty"].map(
  (name) => new Uint8Array(readFileSync(new URL(`fixtures/${name}.safetensors`, import.meta.url))),
);
/** Text that headers are made of, and what has broken parsers before. */
const scraps = [
  ...[
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "0",
    "-1",
    "1e999",
    "9007199254740993",
    "NaN",
    "null",
    "true",
    "\\ud800",
    "__proto__",
  ],
  ...[
    '"dtype":"F32"',
    '"shape":[]',
    '"data_offsets":[0,0]',
    "[".repeat(2000),
    "\u0000",
    "4294967296",
    '"a":{',
    "18446744073709551616",
  ],
].map((text) => new TextEncoder().encode(text));

/** `bytes` with [start, end) replaced. */
function splice(bytes: Uint8Array<ArrayBuffer>, start: number, end: number, put: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...bytes.subarray(0, start), ...put, ...bytes.subarray(end)]);
}

function mutate(bytes: Uint8Array<ArrayBuffer>, random: Philox): Uint8Array<ArrayBuffer> {
  const headerEnd = Math.min(bytes.length, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true)));
  const at = random.below(headerEnd);
  const end = Math.min(bytes.length, at + random.below(24));
  const scrap = scraps[random.below(scraps.length)]!;
  const changes = [
    () => bytes.map((byte, i) => (i === at ? random.below(256) : byte)),
    () => bytes.map((byte, i) => (i === at ? byte ^ (1 << random.below(8)) : byte)),
    () => bytes.map((byte, i) => (i === at && byte >= 48 && byte < 58 ? 48 + random.below(10) : byte)),
    () => bytes.slice(0, random.below(bytes.length + 1)),
    () => splice(bytes, at, end, scrap),
    () => splice(bytes, at, at, bytes.subarray(at, end)),
    () => splice(bytes, at, end, new Uint8Array()),
  ];
  return changes[random.below(changes.length)]!();
}

/** Half of the time the length is made to fit again, so that faults behind it are reached. */
function withLength(bytes: Uint8Array<ArrayBuffer>, before: Uint8Array, random: Philox): Uint8Array<ArrayBuffer> {
  if (bytes.length < 8 || random.below(2) === 0) return bytes;
  const length = new DataView(before.buffer).getBigUint64(0, true) + BigInt(bytes.length - before.length);
  if (length >= 0n) new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

test("a damaged file gives consistent tensors or a FormatError, never anything else, and reads no more than it has", async () => {
  const random = new Philox(2026);
  const outcomes = { opened: 0, refused: 0 };
  for (let round = 0; round < 30_000; round++) {
    const before: Uint8Array<ArrayBuffer> = fixtures[random.below(20) === 0 ? 1 + random.below(2) : 0]!;
    let bytes = before;
    for (let change = random.below(3); change >= 0 && bytes.length >= 8; change--) bytes = mutate(bytes, random);
    bytes = withLength(bytes, before, random);
    try {
      const { tensors } = await openSafetensors(mapSource({ f: bytes }), "f");
      let held = 0;
      for (const { name, dtype, shape, start, end, byteLength } of tensors.values()) {
        if (byteLength !== sizeOf(shape) * dtypeBytes[dtype] || start < 8 || end > bytes.length)
          throw new Error(`${name} lies`);
        held += byteLength;
      }
      if (tensors.size > 0 && Math.max(...[...tensors.values()].map((t) => t.end)) !== bytes.length)
        throw new Error("not covered");
      if (held > bytes.length) throw new Error("bytes are used twice");
      outcomes.opened++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      outcomes.refused++;
    }
  }
  // Both kinds must occur often, or the mutations miss the point.
  expect(outcomes.opened).toBeGreaterThan(500);
  expect(outcomes.refused).toBeGreaterThan(10_000);
});
