/**
 * What the markers of a JPEG file say about its size (ITU T.81, annex B), so that a file is checked before its decoder makes room for it:
 *
 *   0xff  marker (1)  length (2)  ...        big-endian; after a scan's header its data follow, in which 0xff is followed
 *                                            by 0 or by a restart marker
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { expectPixels } from "./image-size.ts";

const SCAN = 0xda;
const END = 0xd9;
/** Huffman tables, extensions and arithmetic conditioning: among the numbers of frames, but none. */
const NO_FRAMES = [0xc4, 0xc8, 0xcc];
const BASELINE_TO_PROGRESSIVE = [0xc0, 0xc1, 0xc2];

interface Segment {
  readonly marker: number;
  /** Without marker and length. */
  readonly data: Uint8Array;
}

/**
 * Throws FormatError if the file is truncated, has several frames, or is larger than it can be with so few bytes or than
 * `maxPixels`; UnsupportedError for lossless and arithmetic coding.
 */
export function expectJpeg(bytes: Uint8Array, maxPixels: number): void {
  const frames = [...segments(bytes)].filter(({ marker }) => marker >> 4 === 0xc && !NO_FRAMES.includes(marker));
  const [frame] = frames;
  if (frame === undefined || frames.length > 1) throw new FormatError(`it has ${frames.length} frames, expected one`);
  if (!BASELINE_TO_PROGRESSIVE.includes(frame.marker)) {
    throw new UnsupportedError(`it has the coding 0x${frame.marker.toString(16)}, expected baseline or progressive`);
  }
  const { data } = frame;
  if (data.length < 6 || data.length < 6 + 3 * data[5]!) throw new FormatError("its frame is truncated");
  const [height, width] = [(data[1]! << 8) | data[2]!, (data[3]! << 8) | data[4]!];
  expectPixels(width, height, maxPixels);
  // Each block of 8 x 8 samples takes at least one bit in a scan.
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  if (blocks > bytes.length * 8) {
    throw new FormatError(`it is ${width} x ${height}, but its ${bytes.length} bytes cannot hold so many pixels`);
  }
}

function* segments(bytes: Uint8Array): Generator<Segment> {
  for (let at = 2; ; ) {
    at = nextMarker(bytes, at);
    const marker = bytes[at - 1]!;
    if (marker === END) return;
    if (at + 2 > bytes.length) throw truncated();
    const end = at + Math.max(2, (bytes[at]! << 8) | bytes[at + 1]!);
    if (end > bytes.length) throw truncated();
    yield { marker, data: bytes.subarray(at + 2, end) };
    at = marker === SCAN ? endOfScan(bytes, end) : end;
  }
}

/** The position after the next marker, which fill bytes may precede. */
function nextMarker(bytes: Uint8Array, from: number): number {
  let at = from;
  if (bytes[at] !== 0xff) throw at < bytes.length ? new FormatError(`byte ${at} is not a marker`) : truncated();
  while (bytes[at] === 0xff) at++;
  if (at >= bytes.length) throw truncated();
  return at + 1;
}

/** The position of the marker that ends the data of a scan. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1]!;
    const isData = next === 0 || next === 0xff || (next >= 0xd0 && next <= 0xd7);
    if (!isData) return at;
  }
  throw truncated();
}

function truncated(): FormatError {
  return new FormatError("it is truncated: it has no end marker");
}
