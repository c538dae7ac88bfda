import { expect } from "vitest";

type Numbers = Float32Array | Float64Array | Uint8Array;

/** A kernel call ready to run on a range, and what it writes: each array with the range index that an element belongs to. */
export interface Job {
  run: (start: number, end: number) => void;
  outputs: readonly (readonly [array: Numbers, owner: (element: number) => number])[];
}

const bits = (array: Numbers): number[] =>
  Array.from(array instanceof Float32Array ? new Uint32Array(array.buffer, array.byteOffset, array.length) : array);

/**
 * Fails unless three calls on parts of 0..count give the very bits of one call on the whole, and a call on a part leaves
 * alone all that belongs to other indices. `prepare` makes the same fresh job each time.
 */
export function checkRanges(count: number, prepare: () => Job): void {
  const whole = prepare();
  whole.run(0, count);
  const parts = prepare();
  const [low, high] = [Math.ceil(count / 3), Math.ceil((3 * count) / 4)];
  const before = parts.outputs.map(([array]) => bits(array));
  parts.run(low, high);
  parts.outputs.forEach(([array, owner], o) => {
    const outside = (_: number, i: number) => owner(i) < low || owner(i) >= high;
    expect(bits(array).filter(outside)).toEqual(before[o]!.filter(outside));
  });
  parts.run(high, count);
  parts.run(0, low);
  const results = (job: Job) => job.outputs.map(([array]) => bits(array));
  expect(results(parts)).toEqual(results(whole));
}
