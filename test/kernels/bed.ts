/**
 * A bed for kernel tests: one fresh memory, arrays with poisoned words around them, and a comparison whose tolerance is
 * derived from the number of rounded terms and the sum of their magnitudes.
 */
import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";
import { expect } from "vitest";
import type { Kernels } from "../../src/wasm/generated/kernels.ts";

const bytes = (build: string) => readFileSync(new URL(`../../build/${build}.wasm`, import.meta.url));

const merges = process.env.LORIKEET_TEST_FLAGS !== undefined;
/** The modules of kernels that this engine can run. `npm run wide` adds the wide one, whose vectors are then merged. */
export const builds: string[] = ["baseline", "relaxed", ...(merges ? ["wide"] : [])].filter((build) =>
  WebAssembly.validate(bytes(build)),
);
if (!builds.includes("relaxed")) console.warn("SKIPPED: this engine has no relaxed SIMD, its builds are not tested");

/** The builds that engines are tested with: the wide one has the bits of relaxed. */
export const engineBuilds = (["baseline", "relaxed"] as const).filter((build) => builds.includes(build));

/** Lengths around the vector width and around two cache lines. */
export const around4 = [1, 3, 4, 5, 8, 63, 64, 65];

const modules = new Map<string, WebAssembly.Module>();
const guard = 64;

/** What a reference returns for one output: the values, and per value the sum of the magnitudes of its terms. */
export interface Reference {
  values: ArrayLike<number>;
  magnitudes: ArrayLike<number>;
}

export class Bed {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1024, maximum: 65535 });
  readonly kernels: Kernels;
  #next = 65536;
  #guards: number[] = [];
  #state: number;

  constructor(build: string, seed = 1) {
    const module = modules.get(build) ?? new WebAssembly.Module(bytes(build));
    modules.set(build, module);
    this.kernels = instantiateSync(module, { env: { memory: this.memory } }).instance.exports as unknown as Kernels;
    this.#state = seed;
  }

  /** Uniform in [-1, 1), the same on every run. */
  #uniform(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) | 0;
    return this.#state / 2 ** 31;
  }

  #place(byteLength: number): number {
    const at = this.#next + guard;
    this.#next = Math.ceil((at + byteLength + guard) / 16) * 16;
    if (this.#next > this.memory.buffer.byteLength) throw new Error("the bed's memory is too small for this test");
    for (const edge of [at - guard, at + byteLength]) {
      new Uint8Array(this.memory.buffer, edge, guard).fill(0xff); // NaN in every float format
      this.#guards.push(edge);
    }
    return at;
  }

  /** An array of f32 that holds NaN. */
  empty(length: number): Float32Array {
    return new Float32Array(this.memory.buffer, this.#place(length * 4), length).fill(Number.NaN);
  }
  zeros(length: number): Float32Array {
    return this.empty(length).fill(0);
  }
  random(length: number, scale = 1): Float32Array {
    return this.#fill(length, () => this.#uniform() * scale);
  }
  from(values: ArrayLike<number>): Float32Array {
    return this.#fill(values.length, (i) => values[i]!);
  }
  ints(values: ArrayLike<number>): Int32Array {
    const a = new Int32Array(this.memory.buffer, this.#place(values.length * 4), values.length);
    a.set(values);
    return a;
  }
  /** Unsigned 16-bit words, for half-precision weights. */
  halves(values: ArrayLike<number>): Uint16Array {
    const a = new Uint16Array(this.memory.buffer, this.#place(values.length * 2), values.length);
    a.set(values);
    return a;
  }
  /** Quantized numbers. */
  int8(values: ArrayLike<number>): Int8Array {
    const a = new Int8Array(this.memory.buffer, this.#place(values.length), values.length);
    a.set(values);
    return a;
  }
  int16(values: ArrayLike<number>): Int16Array {
    const a = new Int16Array(this.memory.buffer, this.#place(values.length * 2), values.length);
    a.set(values);
    return a;
  }
  bytes(values: ArrayLike<number>): Uint8Array {
    const a = new Uint8Array(this.memory.buffer, this.#place(values.length), values.length);
    a.set(values);
    return a;
  }
  doubles(length: number): Float64Array {
    return new Float64Array(this.memory.buffer, this.#place(length * 8), length).fill(Number.NaN);
  }
  /** Raw working memory whose contents nobody checks. */
  scratch(byteLength: number): number {
    return this.#place(byteLength);
  }
  #fill(length: number, value: (i: number) => number): Float32Array {
    const a = this.empty(length);
    for (let i = 0; i < length; i++) a[i] = value(i);
    return a;
  }

  /** Fails unless |got − want| ≤ terms·2⁻²³·Σ|terms| + tiny for every element, and every guard word is untouched. */
  check(got: ArrayLike<number>, want: Reference, terms: number): void {
    expect(got.length).toBe(want.values.length);
    for (let i = 0; i < got.length; i++) {
      const allowed = terms * 2 ** -23 * want.magnitudes[i]! + 1e-30;
      const error = Math.abs(got[i]! - want.values[i]!);
      if (!(error <= allowed)) {
        expect.fail(`[${i}]: got ${got[i]}, want ${want.values[i]}, error ${error} > ${allowed} (${terms} terms)`);
      }
    }
    this.checkGuards();
  }

  checkGuards(): void {
    for (const edge of this.#guards) {
      const bytes = new Uint8Array(this.memory.buffer, edge, guard);
      for (const b of bytes) if (b !== 0xff) expect.fail(`a kernel wrote outside its arrays, near byte ${edge}`);
    }
  }
}
