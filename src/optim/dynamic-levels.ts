/**
 * The levels of dynamic tree quantisation (Dettmers 2016, and et al. 2022) to 8 bits, as bitsandbytes.functional.create_dynamic_map
 * has them up to a rounding: decades from 1e-6 to 1, each with twice as many evenly spaced levels as the one below, and 0 and 1.
 */
const DECADES = 7;

/** All 256 levels in rising order: a number's code is its place. Without a sign there are twice as many in each decade. */
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

/** The smallest number that has ranks of its own, 2⁻²³: below half of the smallest level. */
const SMALLEST = 2 ** -23;
/** Bytes of a table of ranks: one for each value of the upper 16 bits of f32 from 2⁻²³ to 1, and some to spare. */
const RANKS = 3072;
const USED_RANKS = 23 * 128 + 1;

/** Bytes of `dynamicTable`. */
export const TABLE_BYTES: number = 4 * 1024 + 2 * RANKS;

/** The table that adamw_8bit reads: see assembly/optim/adamw-8bit.ts. */
export function dynamicTable(): Uint8Array {
  const table = new Uint8Array(TABLE_BYTES);
  const floats = new Float32Array(table.buffer, 0, 1024);
  [true, false].forEach((signed, i) => {
    const levels = dynamicLevels(signed);
    const rising = levels.subarray(levels.indexOf(0));
    const middles = rising.map((level, rank) => (level + (rising[rank + 1] ?? Number.POSITIVE_INFINITY)) / 2);
    floats.set(levels, 256 * i);
    floats.set(middles, 512 + 256 * i);
    table.set(ranksBelow(middles), 4 * 1024 + RANKS * i);
  });
  return table;
}

/** For each value of the upper 16 bits, how many middles lie below the smallest number that has it. */
function ranksBelow(middles: Float32Array): Uint8Array {
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  number[0] = SMALLEST;
  const first = bits[0]!;
  return Uint8Array.from({ length: USED_RANKS }, (_, k) => {
    bits[0] = first + k * 65536;
    return middles.findIndex((middle) => !(middle < number[0]!));
  });
}
