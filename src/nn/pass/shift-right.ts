/** Ids one place later in each sequence, behind the id that a decoder begins from: what it is given to predict them. */
export function shiftRight(ids: ArrayLike<number>, starts: Int32Array, first: number): Int32Array {
  const shifted = new Int32Array(ids.length);
  for (let s = 0; s + 1 < starts.length; s++) {
    for (let t = starts[s]!; t < starts[s + 1]!; t++) shifted[t] = t === starts[s] ? first : ids[t - 1]!;
  }
  return shifted;
}
