/**
 * The wide build on Arm: the relaxed build with integer products for processors with one instruction for a dot product of bytes, as
 * most have. See assembly/linear/int8-dot-tile.ts.
 */
import { inflateSync } from "node:zlib";
import { UnsupportedError } from "../core/errors.ts";
import { relaxedSupported } from "../kernels/builds.ts";
import { compileBundled, unpackedBuild } from "../kernels/bundled.ts";
import type { BuildAtWork } from "../kernels/wide-check.ts";
import { withFlags } from "./v8-flags.ts";

/** The first code that V8 compiles does without the instruction, so the probe is compiled by the optimizer at once. */
const FLAGS = ["no-liftoff", "no-wasm-lazy-compilation"];
/** Of the operations alone: by their number it is 2.7 with the instruction and 0.5 without. */
const LEAST_GAIN = 1.3;

/** By whether their memory is shared. */
const compiled = new Map<boolean, Promise<WebAssembly.Module>>();
const inflate = (packed: Uint8Array) => new Uint8Array(inflateSync(packed));

/**
 * Compiles the dot build and tries it: its integer products must be faster than those of the relaxed build, and give the same bits.
 * Throws UnsupportedError that says what is wrong.
 */
export function compileDot(shared: boolean): Promise<WebAssembly.Module> {
  const module = compiled.get(shared) ?? compiledAndTried(shared);
  compiled.set(shared, module);
  return module;
}

async function compiledAndTried(shared: boolean): Promise<WebAssembly.Module> {
  if (!relaxedSupported()) throw new UnsupportedError("the wide build takes relaxed SIMD, which this V8 does not have");
  expectGain(gainOfDots());
  const dot = new WebAssembly.Module(await unpackedBuild(await import("../kernels/dot.generated.ts"), shared, inflate));
  expectSameProducts(atWork(dot, shared), atWork(await compileBundled("relaxed", shared, inflate), shared));
  return dot;
}

/** Throws UnsupportedError if dot products of bytes do not pay. */
export function expectGain(gain: number): void {
  if (gain >= LEAST_GAIN) return;
  throw new UnsupportedError(
    `dot products of bytes run at ${gain.toFixed(1)} times the speed of products of 16 bits here, expected ${LEAST_GAIN} or more: this processor or this V8 has no instruction for them`,
  );
}

const CHAINS = 12;
const STEPS = 20;
const CALLS = 20;
const ROUNDS = 10;

/**
 * How many times as fast as products of i16 the dot products of bytes are that replace them: the best of several rounds of each in
 * turns. V8's flags are as before when this returns.
 */
export function gainOfDots(): number {
  const { exports } = new WebAssembly.Instance(withFlags(FLAGS, () => new WebAssembly.Module(probe())));
  const run = exports as Record<"dots" | "pairs", (seed: number) => number>;
  const best = { dots: Number.POSITIVE_INFINITY, pairs: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of ["dots", "pairs"] as const) {
      const began = performance.now();
      for (let call = 0; call < CALLS; call++) run[name](0x01020304);
      best[name] = Math.min(best[name], performance.now() - began);
    }
  }
  return best.pairs / best.dots;
}

/** A module with both ways to add four terms of a sum to every lane, STEPS times for each of CHAINS. No two operations are the same. */
function probe(): Uint8Array<ArrayBuffer> {
  const get = (local: number) => [0x20, local];
  const [seed, factor, first] = [0, 1, 2];
  const chains = Array.from({ length: CHAINS }, (_, i) => first + i);
  const next = (chain: number) => (chain - first + 1 < CHAINS ? chain + 1 : first);
  // i32x4.relaxed_dot_i8x16_i7x16_add_s for a digit of the left factor
  const dot = (c: number) => [...get(next(c)), ...get(factor), ...get(c), 0xfd, 0x93, 0x02, 0x21, c];
  // i32x4.dot_i16x8_s and i32x4.add for two terms
  const pair = (c: number) => [...get(next(c)), ...get(factor), 0xfd, 0xba, 0x01, ...get(c), 0xfd, 0xae, 0x01, 0x21, c];
  const unlike = (c: number) => [...get(c - 1), ...get(factor), 0xfd, 0xae, 0x01, 0x21, c];
  const sum = [...get(first), ...chains.slice(1).flatMap((c) => [...get(c), 0xfd, 0xae, 0x01]), 0xfd, 0x1b, 0];
  const start = [1, CHAINS + 1, 0x7b, ...get(seed), 0xfd, 0x11, 0x21, factor, ...chains.flatMap(unlike)];
  const body = (times: number, step: (chain: number) => number[]) =>
    sized([...start, ...Array.from({ length: times }, () => chains.flatMap(step)).flat(), ...sum, 0x0b]);
  const name = (text: string) => sized([...new TextEncoder().encode(text)]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, ...sized([1, 0x60, 1, 0x7f, 1, 0x7f])], // the type of both functions: i32 to i32
    ...[3, ...sized([2, 0, 0])],
    ...[7, ...sized([2, ...name("dots"), 0, 0, ...name("pairs"), 0, 1])],
    ...[10, ...sized([2, ...body(3 * STEPS, dot), ...body(2 * STEPS, pair)])],
  ]);
}

/** The bytes after their number, in LEB128. */
function sized(bytes: number[]): number[] {
  const size: number[] = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    if (rest < 128) return [...size, rest, ...bytes];
    size.push((rest & 127) | 128);
  }
}

function atWork(module: WebAssembly.Module, shared: boolean): BuildAtWork {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65535, shared });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  return { kernels: exports as BuildAtWork["kernels"], memory };
}

/** A product: rows and columns of whole tiles with some left over. */
const [M, N, K] = [13, 21, 70];
const [C, Q, SCALES, B, WORKSPACE] = [1 << 16, 1 << 17, 1 << 18, 3 << 17, 1 << 19];
const PAGES = 40;

/** Throws UnsupportedError unless two builds compute the same product, for both layouts of B. */
export function expectSameProducts(one: BuildAtWork, other: BuildAtWork): void {
  for (const layout of [0, 1]) {
    const [mine, theirs] = [one, other].map(({ kernels, memory: { buffer } }) => {
      fillOperands(buffer);
      kernels.matmul_int8!(C, Q, SCALES, B, 0, M, N, K, K, layout ? K : N, N, layout, 0, WORKSPACE, 0, M, 0, N);
      return new Int32Array(buffer, C, M * N);
    });
    if (mine!.some((bits, i) => bits !== theirs![i]))
      throw new UnsupportedError("the wide build gives other numbers than the relaxed build here, in matmul_int8");
  }
}

/** Numbers of all sizes; in the first rows the largest alone. */
function fillOperands(buffer: ArrayBufferLike): void {
  let state = 1;
  const fill = (numbers: Int16Array | Int8Array, most: number) => {
    for (let i = 0; i < numbers.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const row = Math.floor(i / K);
      numbers[i] = row === 0 ? most : row === 1 ? -most : Math.round((state / 2 ** 31 - 1) * most);
    }
  };
  fill(new Int16Array(buffer, Q, M * K), 16384);
  fill(new Int8Array(buffer, B, N * K), 127);
  new Float32Array(buffer, SCALES, M).fill(1);
}
