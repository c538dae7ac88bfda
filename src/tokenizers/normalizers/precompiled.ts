/**
 * SentencePiece's own rules: a map from texts to texts, as a trie over bytes. Rust counterpart:
 * `normalizers/precompiled.rs` and the crate spm_precompiled.
 *
 * The map's format: the trie's size in bytes (u32), the trie (u32 units of a double array), then texts that end with NUL.
 * A cluster of characters shorter than 6 bytes is looked up as a whole, and what its shortest known beginning maps to
 * replaces all of it; other characters are looked up one by one.
 */
import { UnsupportedError } from "../../core/errors.ts";
import { classRanges, readRanges } from "../../core/patterns/code-point-set.ts";
import { type Fields, wrong } from "../fields.ts";
import { TextChange } from "../normalized-string.ts";
import { AFTER_16 } from "../unicode/tables.ts";
import { utf8Length } from "../utf8.ts";
import type { Normalizer } from "./normalizer.ts";

const MAX_CLUSTER = 6;
/** Where a cluster of several characters can be: what joins to the character before it, or CR LF. */
const CLUSTERED =
  /\r\n|[\p{M}\p{Cf}\p{Emoji_Modifier}\p{Regional_Indicator}\u0d4e\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb\uff9e\uff9f\u{111c2}\u{111c3}\u{1193f}\u{11941}\u{11a84}-\u{11a89}\u{11d46}\u{11f02}]/u;

export function readPrecompiled(fields: Fields): Normalizer {
  fields.only("precompiled_charsmap");
  const map = new CharsMap(bytesOf(fields), `${fields.path}.precompiled_charsmap`);
  return (normalized) => {
    const change = new TextChange();
    let isSame = true;
    for (const cluster of clusters(normalized.text, fields.path)) {
      const isOne = cluster.length === ((cluster.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
      const whole = isOne || utf8Length(cluster) < MAX_CLUSTER ? map.find(cluster) : null;
      if (whole !== null) {
        isSame = false;
        replace(change, Array.from(cluster).length, whole);
        continue;
      }
      for (const char of isOne ? [cluster] : cluster) {
        const mapped = isOne ? null : map.find(char);
        if (mapped === null) change.push(char.codePointAt(0)!, 0);
        else {
          isSame = false;
          replace(change, 1, mapped);
        }
      }
    }
    if (!isSame) normalized.transform(change);
  };
}

function bytesOf(fields: Fields): Uint8Array {
  const base64 = fields.string("precompiled_charsmap");
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    throw wrong(`${fields.path}.precompiled_charsmap`, base64, "base64");
  }
}

/** `text` comes instead of `count` characters. */
function replace({ chars, steps }: TextChange, count: number, text: string): void {
  const replacement = Array.from(text, (char) => char.codePointAt(0)!);
  const surplus = replacement.length - count;
  replacement.forEach((char, i) => {
    chars.push(char);
    steps.push(i >= count ? 1 : 0);
  });
  if (surplus < 0 && steps.length > 0) steps[steps.length - 1]! += surplus;
}

/** The extended grapheme clusters of a text. */
function clusters(text: string, path: string): Iterable<string> {
  if (!CLUSTERED.test(text)) return text;
  if (typeof Intl === "undefined" || Intl.Segmenter === undefined) {
    throw new UnsupportedError(`${path}: a precompiled map needs Intl.Segmenter, which this host does not have`);
  }
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  newer ??= new RegExp(`[${classRanges(readRanges(AFTER_16))}]`, "gu");
  // Rust's rules are those of Unicode 16: newer characters join nothing there, as Han characters do.
  const known = text.replace(newer, (char) => (char.length === 2 ? "\u{20000}" : "\u4e00"));
  return segments(text, segmenter.segment(known));
}

let segmenter: Intl.Segmenter | undefined;
let newer: RegExp | undefined;

function* segments(text: string, found: Intl.Segments): Iterable<string> {
  for (const { segment, index } of found) yield text.slice(index, index + segment.length);
}

class CharsMap {
  readonly #units: DataView;
  readonly #count: number;
  readonly #texts: Uint8Array;
  readonly #known = new Map<string, string | null>();

  constructor(bytes: Uint8Array, path: string) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? -1 : view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length)
      throw wrong(path, `${bytes.length} bytes`, "a map of characters");
    this.#count = size / 4;
    this.#units = new DataView(bytes.buffer, bytes.byteOffset + 4, size);
    this.#texts = bytes.subarray(4 + size);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#texts);
    } catch {
      throw wrong(path, "no UTF-8", "texts in UTF-8 behind the trie");
    }
  }

  /** What the shortest known beginning of `text` maps to, or null. */
  find(text: string): string | null {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const found = this.#search(text);
    if (this.#known.size > 50_000) this.#known.clear();
    this.#known.set(text, found);
    return found;
  }

  #search(text: string): string | null {
    let node = offsetOf(this.#unit(0));
    for (const byte of new TextEncoder().encode(text)) {
      if (byte === 0) return null;
      node ^= byte;
      const unit = this.#unit(node);
      if ((unit & 0x800000ff) !== byte) return null;
      node ^= offsetOf(unit);
      if ((unit >>> 8) & 1) return this.#text(this.#unit(node) & 0x7fffffff);
    }
    return null;
  }

  /** Units beyond the array have a label that no byte is. */
  #unit(node: number): number {
    return node >= 0 && node < this.#count ? this.#units.getUint32(4 * node, true) : 0x80000000;
  }

  #text(start: number): string {
    const end = this.#texts.indexOf(0, start);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#texts.subarray(start, end < 0 ? undefined : end));
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
