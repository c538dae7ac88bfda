/**
 * PyTorch's CPU generator: the Mersenne Twister MT19937 of Matsumoto and Nishimura ("Mersenne Twister", 1998), and the
 * way PyTorch converts its words to numbers. Some adapters store a seed instead of positions or projections, and only
 * these draws reproduce them.
 *
 * Uniform numbers, integers and permutations match PyTorch bit for bit. Fewer than 16 normal numbers match except for
 * the last bit; 16 or more match its AVX2 and AVX-512 code within 3 units in the last place (its code for other
 * machines rounds the angle at another point and differs by up to 2e-6 of the standard deviation).
 */
import { ShapeError, UnsupportedError } from "../errors.ts";

const WORDS = 624;
const MIDDLE = 397;
const TWIST = 0x9908b0df;
const TWO_32 = 2 ** 32;
/** From this count on, PyTorch uses two words per integer. */
const WIDE_RANGE = 2 ** 28;
/** From this length on, PyTorch uses two words per position of a permutation. */
const WIDE_PERMUTATION = Math.floor((TWO_32 - 1) / 20);
/** From this count on, normal numbers come in blocks of this size. */
const BLOCK = 16;

/**
 * The numbers that `torch.Generator().manual_seed(seed)` gives on the CPU, in float32. `size` counts elements: a tensor
 * is drawn row by row.
 *
 * @example
 * const positions = new TorchRandom(777).randperm(64 * 64).subarray(0, 1000);
 */
export class TorchRandom {
  readonly #words = new Uint32Array(WORDS);
  #next = WORDS;
  /** The second number of a pair by Box and Muller, for the next short draw of normal numbers. */
  #spare: number | undefined;

  /** `seed` is an integer; only its low 32 bits count, as in PyTorch. Throws ShapeError for anything else. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new ShapeError(`TorchRandom seed is ${seed}, expected an integer of at most 53 bits`);
    }
    this.#words[0] = seed % TWO_32;
    for (let i = 1; i < WORDS; i++) {
      const before = this.#words[i - 1]!;
      this.#words[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** One word of the generator: an integer from 0 to 2^32 - 1. */
  nextU32(): number {
    if (this.#next === WORDS) this.#renew();
    let word = this.#words[this.#next++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** torch.rand: `size` numbers in [0, 1). */
  rand(size: number): Float32Array {
    return this.uniform(size, 0, 1);
  }

  /** Tensor.uniform_: `size` numbers from `low` to `high`. */
  uniform(size: number, low: number, high: number): Float32Array {
    const start = Math.fround(low);
    const span = Math.fround(Math.fround(high) - start);
    return Float32Array.from({ length: size }, () => this.#uniform24() * span + start);
  }

  /** Tensor.normal_: `size` numbers of the given mean and standard deviation. */
  normal(size: number, mean = 0, std = 1): Float32Array {
    if (size < BLOCK) return Float32Array.from({ length: size }, () => this.#shortNormal() * std + mean);
    const out = this.rand(size);
    for (let start = 0; start + BLOCK <= size; start += BLOCK) {
      boxMuller(out.subarray(start, start + BLOCK), mean, std);
    }
    if (size % BLOCK !== 0) {
      const end = out.subarray(size - BLOCK);
      end.set(this.rand(BLOCK));
      boxMuller(end, mean, std);
    }
    return out;
  }

  /** torch.randperm: the integers 0 to n - 1 in random order. Throws UnsupportedError from n = 214748364 on. */
  randperm(n: number): Int32Array {
    if (n >= WIDE_PERMUTATION) {
      throw new UnsupportedError(`TorchRandom.randperm(${n}): the length must be below ${WIDE_PERMUTATION}`);
    }
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i + 1 < n; i++) {
      const other = i + (this.nextU32() % (n - i));
      const held = order[i]!;
      order[i] = order[other]!;
      order[other] = held;
    }
    return order;
  }

  /** torch.randint(low, high, (size,)): `size` integers from `low` to `high` - 1, both signed 32-bit. */
  randint(size: number, low: number, high: number): Int32Array {
    const count = high - low;
    if (!(count >= 1) || low !== (low | 0) || high - 1 !== ((high - 1) | 0)) {
      throw new ShapeError(
        `TorchRandom.randint from ${low} to ${high}: expected two signed 32-bit integers, low < high`,
      );
    }
    return Int32Array.from({ length: size }, () => low + this.#below(count));
  }

  /**
   * torch.nn.init.kaiming_uniform_(tensor of `shape`, a): uniform within ±√(6 / ((1 + a²)·fanIn)), where fanIn is the
   * number of weights per output (He et al. 2015). `shape` is [out, in, ...].
   */
  kaimingUniform(shape: readonly number[], a = 0): Float32Array {
    if (shape.length < 2) {
      throw new ShapeError(`kaimingUniform of shape [${shape}]: expected [out, in, ...], at least two axes`);
    }
    const fanIn = shape.slice(1).reduce((size, length) => size * length, 1);
    const bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + a * a)) / Math.sqrt(fanIn));
    return this.uniform(shape[0]! * fanIn, -bound, bound);
  }

  #renew(): void {
    const words = this.#words;
    for (let i = 0; i < WORDS; i++) {
      const joined = (words[i]! & 0x80000000) | (words[(i + 1) % WORDS]! & 0x7fffffff);
      words[i] = words[(i + MIDDLE) % WORDS]! ^ (joined >>> 1) ^ (joined & 1 ? TWIST : 0);
    }
    this.#next = 0;
  }

  #uniform24(): number {
    return (this.nextU32() & 0xffffff) * 2 ** -24;
  }

  #uniform53(): number {
    const high = this.nextU32() & 0x1fffff;
    return (high * TWO_32 + this.nextU32()) * 2 ** -53;
  }

  /** In double precision, keeping the second number of each pair for the next call, whatever its mean. */
  #shortNormal(): number {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) return spare;
    const angle = 2 * Math.PI * this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #below(count: number): number {
    const word = this.nextU32();
    if (count < WIDE_RANGE) return word % count;
    return Number(((BigInt(word) << 32n) | BigInt(this.nextU32())) % BigInt(count));
  }
}

/** Turns 16 uniform numbers into normal ones in place: the first eight give radii, the last eight angles. */
function boxMuller(block: Float32Array, mean: number, std: number): void {
  const { fround } = Math;
  const [shift, factor, turn] = [fround(mean), fround(std), fround(2 * Math.PI)];
  for (let j = 0; j < BLOCK / 2; j++) {
    const radius = fround(Math.sqrt(-2 * fround(Math.log(1 - block[j]!))));
    const angle = fround(turn * block[j + BLOCK / 2]!);
    block[j] = fround(radius * fround(Math.cos(angle))) * factor + shift;
    block[j + BLOCK / 2] = fround(radius * fround(Math.sin(angle))) * factor + shift;
  }
}
