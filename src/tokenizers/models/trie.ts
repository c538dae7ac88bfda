/** Texts by their beginnings, on typed arrays. Rust counterpart: `models/unigram/trie.rs`. */

export class Trie {
  /** The number of the text that ends at a node, or -1. */
  #values: Int32Array;
  #nodes = 1;
  #mask: number;
  /** A hash table of children: parent, unit + 1 (0 for a free place), child. */
  #parents: Int32Array;
  #units: Int32Array;
  #children: Int32Array;

  /** Room for texts of `units` UTF-16 units in all. */
  constructor(units: number) {
    let size = 64;
    while (size < 2 * units) size *= 2;
    this.#mask = size - 1;
    this.#parents = new Int32Array(size);
    this.#units = new Int32Array(size);
    this.#children = new Int32Array(size);
    this.#values = new Int32Array(units + 1).fill(-1);
  }

  /** The last number given to a text counts. */
  add(text: string, value: number): void {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const at = this.#place(node, unit);
      if (this.#units[at] === 0) {
        this.#parents[at] = node;
        this.#units[at] = unit + 1;
        this.#children[at] = this.#nodes++;
      }
      node = this.#children[at]!;
    }
    this.#values[node] = value;
  }

  /** The node below `node` (0 is the root) for a unit, or -1. */
  child(node: number, unit: number): number {
    const at = this.#place(node, unit);
    return this.#units[at] === 0 ? -1 : this.#children[at]!;
  }

  value(node: number): number {
    return this.#values[node]!;
  }

  #place(node: number, unit: number): number {
    let hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
    hash ^= hash >>> 15;
    let at = (Math.imul(hash, 0x2c1b3c6d) >>> 7) & this.#mask;
    while (this.#units[at] !== 0 && !(this.#parents[at] === node && this.#units[at] === unit + 1)) {
      at = (at + 1) & this.#mask;
    }
    return at;
  }
}
