/**
 * Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011). Block number `counter` of the stream `key` is a pure function of both: any position can
 * be computed without the ones before it, and the whole state is a few small numbers.
 */
import { FormatError, ShapeError } from "../errors.ts";

/** Four 32-bit words, each an unsigned integer below 2^32. */
export type Words4 = readonly [number, number, number, number];
/** Two 32-bit words, each an unsigned integer below 2^32. */
export type Words2 = readonly [number, number];

/** Everything that a generator needs to continue exactly where it was. It can be stored as JSON. */
export interface PhiloxState {
  readonly seed: number;
  readonly stream: number;
  /** How many 32-bit words have been drawn, an integer below 2^53. */
  readonly drawn: number;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9; // golden ratio
const WEYL_1 = 0xbb67ae85; // sqrt(3) - 1
const ROUNDS = 10;
const TWO_32 = 2 ** 32;

/** One block: the four random words at `counter` under `key`. */
export function philox4x32(counter: Words4, key: Words2): Words4 {
  const [c0, c1, c2, c3] = counter;
  const block = new Uint32Array(4);
  writeBlock(block, c0, c1, c2, c3, key[0], key[1]);
  return [block[0]!, block[1]!, block[2]!, block[3]!];
}

/** The same into `block`, without allocation: a large random matrix needs a hundred thousand blocks. */
function writeBlock(block: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

/**
 * The upper 32 bits of the 64-bit product of two words, read as unsigned. Products of halves are wrapped to 32 bits and then
 * taken as unsigned, and their sums stay below 2^32, so it is exact.
 */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const cross = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

/**
 * A sequence of random numbers. Word number i of a sequence is word i mod 4 of block floor(i / 4): the counter is
 * (block low, block high, stream low, stream high) and the key is (seed low, seed high).
 *
 * @example
 * const random = new Philox(42);
 * const rows = random.shuffle([0, 1, 2, 3]);
 * const again = Philox.from(random.state()); // continues exactly where `random` is
 */
export class Philox {
  readonly seed: number;
  readonly stream: number;
  #drawn = 0;
  readonly #block = new Uint32Array(4);

  /** `seed` and `stream` are integers from 0 to 2^53 - 1; different pairs give unrelated sequences. */
  constructor(seed: number, stream = 0) {
    this.seed = expectWhole("seed", seed);
    this.stream = expectWhole("stream", stream);
  }

  /**
   * A generator that continues exactly where the one that returned `state` was. Throws FormatError if the state is
   * invalid.
   */
  static from(state: PhiloxState): Philox {
    const random = new Philox(state.seed, state.stream);
    random.#drawn = expectWhole("drawn", state.drawn);
    if (random.#drawn % 4 !== 0) random.#fill(Math.floor(random.#drawn / 4));
    return random;
  }

  /** The state that `from` needs. */
  state(): PhiloxState {
    return { seed: this.seed, stream: this.stream, drawn: this.#drawn };
  }

  /** An integer from 0 to 2^32 - 1. */
  nextU32(): number {
    const lane = this.#drawn % 4;
    if (lane === 0) this.#fill(Math.floor(this.#drawn / 4));
    this.#drawn++;
    return this.#block[lane]!;
  }

  /** A number in [0, 1): the upper 24 bits of one word times 2^-24, so it is exact in float32 too. */
  uniform(): number {
    return (this.nextU32() >>> 8) * 2 ** -24;
  }

  /**
   * A standard normal number by Box and Muller: sqrt(-2 ln u) cos(2 pi v), with u in (0, 1] and v in [0, 1) of 32 bits
   * each. Always draws two words and caches nothing, so `state` is complete. The magnitude is at most 6.66.
   */
  normal(): number {
    const u = (this.nextU32() + 1) / TWO_32;
    const v = this.nextU32() / TWO_32;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  /**
   * An integer from 0 to n - 1, each equally likely (words in the incomplete last interval are redrawn). n is 1 to
   * 2^32.
   */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) {
      throw new ShapeError(`Philox.below(${n}): the count must be an integer from 1 to 2^32, the range of one word`);
    }
    const end = TWO_32 - (TWO_32 % n);
    let word = this.nextU32();
    while (word >= end) word = this.nextU32();
    return word % n;
  }

  /** Puts `items` into random order in place (Fisher and Yates, from the end) and returns it. */
  shuffle<T extends unknown[] | Uint32Array | Int32Array>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = items[i];
      items[i] = items[j] as (typeof items)[number];
      items[j] = held as (typeof items)[number];
    }
    return items;
  }

  #fill(block: number): void {
    const { seed, stream } = this;
    writeBlock(this.#block, block | 0, high(block), stream | 0, high(stream), seed | 0, high(seed));
  }
}

/** The upper word of an integer below 2^53; its lower one is `n | 0`. */
function high(n: number): number {
  return (n / TWO_32) | 0;
}

function expectWhole(what: string, n: number): number {
  if (Number.isSafeInteger(n) && n >= 0) return n;
  throw new FormatError(`Philox ${what} is ${n}, expected an integer from 0 to 2^53 - 1`);
}
