/** Which pairs of tokens merge, in what order, and into what: a hash table on typed arrays. */

export class MergeTable {
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  /** Room for `count` pairs. */
  constructor(count: number) {
    let size = 16;
    while (size < 2 * count) size *= 2;
    this.#mask = size - 1;
    this.#left = new Int32Array(size).fill(-1);
    this.#right = new Int32Array(size);
    this.#rank = new Int32Array(size);
    this.#merged = new Int32Array(size);
  }

  /** A pair that was set before gets a new rank. */
  set(left: number, right: number, rank: number, merged: number): void {
    let at = this.#home(left, right);
    while (this.#left[at] !== -1 && !(this.#left[at] === left && this.#right[at] === right)) at = (at + 1) & this.#mask;
    this.#left[at] = left;
    this.#right[at] = right;
    this.#rank[at] = rank;
    this.#merged[at] = merged;
  }

  /** The pair's place in the table, or -1. */
  find(left: number, right: number): number {
    let at = this.#home(left, right);
    for (;;) {
      const found = this.#left[at]!;
      if (found === -1) return -1;
      if (found === left && this.#right[at] === right) return at;
      at = (at + 1) & this.#mask;
    }
  }

  /** Smaller ranks merge first. */
  rank(place: number): number {
    return this.#rank[place]!;
  }

  merged(place: number): number {
    return this.#merged[place]!;
  }

  #home(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    return (Math.imul(hash, 0x2c1b3c6d) >>> 7) & this.#mask;
  }
}
