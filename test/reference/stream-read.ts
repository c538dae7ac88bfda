/** XOR of 32-bit words. */
export function streamRead(words: Int32Array): number {
  return words.reduce((all, word) => all ^ word, 0);
}
