/**
 * Which two characters next to each other some merge joins. Where no merge joins two, a long word can be cut without
 * changing its tokens: no token ever reaches over that place. Texts that are one word (Llama 2) become short words so.
 */
export class Junctions {
  /** Bits by hash: one too many only means a cut that is not made. */
  readonly #bits = new Uint32Array(2 ** 15);

  /** Remembers the junction of two tokens that merge. */
  add(left: string, right: string): void {
    if (left === "" || right === "") return;
    const place = hash(left.charCodeAt(left.length - 1), right.charCodeAt(0));
    this.#bits[place >>> 5]! |= 1 << (place & 31);
  }

  /** Whether a merge may join two UTF-16 units. */
  mayJoin(left: number, right: number): boolean {
    const place = hash(left, right);
    return ((this.#bits[place >>> 5]! >>> (place & 31)) & 1) === 1;
  }
}

function hash(left: number, right: number): number {
  return Math.imul((left << 16) | right, 0x9e3779b1) >>> 12;
}
