/** Repeats a batch for adapters that each run on a copy of it. */
import { repeatInputs } from "../../nn/pass/inputs.ts";
import type { LabelledSequences, Sequences } from "../../nn/pass/sequences.ts";

/** All sequences, then all of them again, and so on, including labels. */
export function repeated<S extends Sequences | LabelledSequences>(sequences: S, copies: number): S {
  if (copies === 1) return sequences;
  const starts = ["starts", "labelStarts"];
  const { inputs, ...arrays } = sequences;
  const all = Object.entries(arrays).map(([key, values]) => [
    key,
    starts.includes(key) ? repeatedStarts(values as Int32Array, copies) : tiled(values as Int32Array, copies),
  ]);
  return { ...Object.fromEntries(all), ...(inputs && { inputs: repeatInputs(inputs, copies) }) } as S;
}

/** The rows of each copy, `count` rows per copy. */
export function repeatedRows(rows: Int32Array, count: number, copies: number): Int32Array {
  return Int32Array.from(
    Array.from({ length: copies }, (_, copy) => Array.from(rows, (row) => row + copy * count)).flat(),
  );
}

function repeatedStarts(starts: Int32Array, copies: number): Int32Array {
  return Int32Array.of(0, ...repeatedRows(starts.subarray(1), starts.at(-1)!, copies));
}

function tiled<A extends Int32Array | Float32Array>(values: A, copies: number): A {
  const all = new (values.constructor as new (length: number) => A)(values.length * copies);
  for (let copy = 0; copy < copies; copy++) all.set(values, copy * values.length);
  return all;
}
