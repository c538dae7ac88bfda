/** XOR of each row's words. */
export function streamRead(words: Int32Array, width: number): number[] {
  const rows = Array.from({ length: words.length / width }, (_, i) => words.subarray(i * width, (i + 1) * width));
  return rows.map((row) => row.reduce((all, word) => all ^ word, 0));
}
