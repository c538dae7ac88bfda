/** Merges the symbols of a word, lowest rank first and leftmost among equals. Rust counterpart: `models/bpe/word.rs`. */
import type { MergeTable } from "./merge-table.ts";

/** Up to here, looking at all pairs again after each merge is faster than a queue. */
const SHORT = 24;

/** Merges in place: `symbols` become fewer, and `lengths` are added up alike. */
export function mergeSymbols(symbols: number[], lengths: number[], merges: MergeTable): void {
  if (symbols.length <= SHORT) mergeShort(symbols, lengths, merges);
  else mergeLong(symbols, lengths, merges);
}

const NONE = 0x7fffffff;

function mergeShort(symbols: number[], lengths: number[], merges: MergeTable): void {
  const places: number[] = [];
  const ranks: number[] = [];
  const look = (i: number) => {
    const place = i + 1 < symbols.length ? merges.find(symbols[i]!, symbols[i + 1]!) : -1;
    places[i] = place;
    ranks[i] = place < 0 ? NONE : merges.rank(place);
  };
  for (let i = 0; i + 1 < symbols.length; i++) look(i);
  while (symbols.length > 1) {
    let best = 0;
    for (let i = 1; i + 1 < symbols.length; i++) if (ranks[i]! < ranks[best]!) best = i;
    if (ranks[best] === NONE) return;
    symbols[best] = merges.merged(places[best]!);
    lengths[best]! += lengths[best + 1]!;
    const last = symbols.length - 1;
    for (let i = best + 1; i < last; i++) {
      symbols[i] = symbols[i + 1]!;
      lengths[i] = lengths[i + 1]!;
      places[i] = places[i + 1]!;
      ranks[i] = ranks[i + 1]!;
    }
    symbols.length = last;
    lengths.length = last;
    if (best + 1 < symbols.length) look(best);
    if (best > 0) look(best - 1);
  }
}

/** Queue entries are rank × 2^31 + place, exact in a double for up to 2^22 ranks. */
const PLACES = 2 ** 31;

function mergeLong(symbols: number[], lengths: number[], merges: MergeTable): void {
  const count = symbols.length;
  const ids = Int32Array.from(symbols);
  const previous = new Int32Array(count);
  const next = new Int32Array(count);
  const queue = new Queue(count);
  const enqueue = (i: number) => {
    const after = next[i]!;
    if (after >= count) return;
    const place = merges.find(ids[i]!, ids[after]!);
    if (place >= 0) queue.push(merges.rank(place) * PLACES + i);
  };
  for (let i = 0; i < count; i++) {
    previous[i] = i - 1;
    next[i] = i + 1;
  }
  for (let i = 0; i < count; i++) enqueue(i);
  while (queue.size > 0) {
    const entry = queue.pop();
    const rank = Math.floor(entry / PLACES);
    const i = entry - rank * PLACES;
    const after = next[i]!;
    if (ids[i] === -1 || after >= count) continue;
    const place = merges.find(ids[i]!, ids[after]!);
    if (place < 0 || merges.rank(place) !== rank) continue; // the pair has changed since
    ids[i] = merges.merged(place);
    lengths[i]! += lengths[after]!;
    ids[after] = -1;
    next[i] = next[after]!;
    if (next[i]! < count) previous[next[i]!] = i;
    if (previous[i]! >= 0) enqueue(previous[i]!);
    enqueue(i);
  }
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (ids[i] === -1) continue;
    symbols[kept] = ids[i]!;
    lengths[kept++] = lengths[i]!;
  }
  symbols.length = kept;
  lengths.length = kept;
}

/** A heap of numbers, smallest first. */
class Queue {
  size = 0;
  #entries: Float64Array;

  constructor(capacity: number) {
    this.#entries = new Float64Array(capacity + 16);
  }

  push(entry: number): void {
    if (this.size === this.#entries.length) {
      const larger = new Float64Array(2 * this.size);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    const entries = this.#entries;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (entries[parent]! <= entry) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): number {
    const entries = this.#entries;
    const top = entries[0]!;
    const last = entries[--this.size]!;
    let at = 0;
    for (;;) {
      const first = 4 * at + 1;
      if (first >= this.size) break;
      let least = first;
      const end = Math.min(first + 4, this.size);
      for (let child = first + 1; child < end; child++) if (entries[child]! < entries[least]!) least = child;
      if (entries[least]! >= last) break;
      entries[at] = entries[least]!;
      at = least;
    }
    entries[at] = last;
    return top;
  }
}
