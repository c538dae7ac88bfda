/**
 * The levels of dynamic tree quantization (Dettmers 2016; Dettmers et al. 2022) to 8 bits, as in
 * bitsandbytes.functional.create_dynamic_map except for rounding: decades from 1e-6 to 1, each with twice as many
 * evenly spaced levels as the one below, and 0 and 1.
 */
import {
  DYNAMIC_MIDDLES,
  DYNAMIC_RANKS,
  DYNAMIC_RANKS_UNSIGNED,
  DYNAMIC_SMALLEST,
  DYNAMIC_UNSIGNED,
} from "../wasm/generated/constants.ts";

const DECADES = 7;

/**
 * All 256 levels in ascending order: the index of a level is its code. Without a sign, each decade has twice as many.
 */
export function dynamicLevels(signed: boolean): Float32Array {
  const levels = [0, 1];
  for (let decade = 0; decade < DECADES; decade++) {
    const parts = 2 ** (signed ? decade : decade + 1);
    for (let i = 0; i < parts; i++) {
      const level = 10 ** (decade + 1 - DECADES) * (0.1 + (0.9 * (i + 0.5)) / parts);
      levels.push(level, ...(signed ? [-level] : []));
    }
  }
  return Float32Array.from(levels).sort();
}

/** Values of the upper 16 bits of f32 from 2⁻²³, the smallest number with separate entries, to 1. */
const USED_RANKS = 23 * 128 + 1;

/** Bytes of `dynamicTable`. */
export const TABLE_BYTES: number = DYNAMIC_RANKS + 2 * DYNAMIC_RANKS_UNSIGNED;

/** The table that adamw_8bit reads: see assembly/optim/adamw-8bit.ts. */
export function dynamicTable(): Uint8Array {
  const table = new Uint8Array(TABLE_BYTES);
  const floats = new Float32Array(table.buffer, 0, DYNAMIC_RANKS / 4);
  [true, false].forEach((signed, i) => {
    const levels = dynamicLevels(signed);
    const rising = levels.subarray(levels.indexOf(0));
    const middles = rising.map((level, rank) => (level + (rising[rank + 1] ?? Number.POSITIVE_INFINITY)) / 2);
    floats.set(levels, (DYNAMIC_UNSIGNED / 4) * i);
    floats.set(middles, (DYNAMIC_MIDDLES + DYNAMIC_UNSIGNED * i) / 4);
    table.set(ranksBelow(middles), DYNAMIC_RANKS + DYNAMIC_RANKS_UNSIGNED * i);
  });
  return table;
}

/** For each value of the upper 16 bits, the number of midpoints below the smallest number with those bits. */
function ranksBelow(middles: Float32Array): Uint8Array {
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  return Uint8Array.from({ length: USED_RANKS }, (_, k) => {
    bits[0] = (DYNAMIC_SMALLEST + k) * 65536;
    return middles.findIndex((middle) => !(middle < number[0]!));
  });
}
