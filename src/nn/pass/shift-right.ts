/** Shifts the ids of each sequence by one position, after a decoder's start id: the decoder's input to predict them. */
export function shiftRight(ids: ArrayLike<number>, starts: Int32Array, first: number): Int32Array {
  const shifted = new Int32Array(ids.length);
  for (let s = 0; s + 1 < starts.length; s++) {
    for (let t = starts[s]!; t < starts[s + 1]!; t++) shifted[t] = t === starts[s] ? first : ids[t - 1]!;
  }
  return shifted;
}
