/** The wide build in Node on x86, whose V8 merges pairs of 128-bit operations into 256-bit ones when its flag is set. */
import { inflateSync } from "node:zlib";
import { UnsupportedError } from "../core/errors.ts";
import { compileBundled, unpackedBuild } from "../kernels/bundled.ts";
import { type BuildAtWork, CHECK_PAGES, firstDifference } from "../kernels/wide-check.ts";
import { withFlags } from "./v8-flags.ts";

/** Set while the module compiles, so that all of it is merged code at once and none of it is compiled later. */
const FLAGS = ["experimental-wasm-revectorize", "no-liftoff", "no-wasm-lazy-compilation"];
/** Merged, the chains of the probe are twice as fast as those of half the width; unmerged, they run out of registers. */
const LEAST_GAIN = 1.3;
const PROBE_TURNS = 3000;
const PROBE_ROUNDS = 7;

/** By whether their memory is shared. */
const compiled = new Map<boolean, Promise<WebAssembly.Module>>();
const inflate = (packed: Uint8Array) => new Uint8Array(inflateSync(packed));

/**
 * Compiles the wide build and tries it: it must give the bits of the relaxed build, and it must be faster. V8's flags are as before
 * when this returns. Throws UnsupportedError that says what is wrong.
 */
export function compileWide(shared: boolean): Promise<WebAssembly.Module> {
  const module = compiled.get(shared) ?? compiledAndTried(shared);
  compiled.set(shared, module);
  return module;
}

async function compiledAndTried(shared: boolean): Promise<WebAssembly.Module> {
  const bytes = await unpackedBuild(await import("../kernels/wide.generated.ts"), shared, inflate);
  const wide = withFlags(FLAGS, () => new WebAssembly.Module(bytes));
  const merged = atWork(wide, shared);
  const differing = firstDifference(merged, atWork(await compileBundled("relaxed", false, inflate), false));
  if (differing !== null)
    throw new UnsupportedError(`the wide build gives other numbers than the relaxed build here, in ${differing}`);
  const gain = speedup(merged.kernels);
  if (gain < LEAST_GAIN) {
    throw new UnsupportedError(
      `the wide build runs at ${gain.toFixed(1)} times the speed of single vectors here, expected ${LEAST_GAIN} or more: this processor or this V8 does not merge them`,
    );
  }
  return wide;
}

function atWork(module: WebAssembly.Module, shared: boolean): BuildAtWork {
  const memory = new WebAssembly.Memory({ initial: CHECK_PAGES, maximum: 65535, shared });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  return { kernels: exports as BuildAtWork["kernels"], memory };
}

/** How many times as fast merged registers are as single ones: the best of several rounds of each, in turns. */
function speedup({ simd_peak_pairs: pairs, simd_peak: single }: BuildAtWork["kernels"]): number {
  const best = { pairs: Number.POSITIVE_INFINITY, single: Number.POSITIVE_INFINITY };
  const out = 1 << 16;
  for (let round = 0; round < PROBE_ROUNDS; round++) {
    const began = performance.now();
    pairs!(out, PROBE_TURNS, 0.5, 0, 1);
    const between = performance.now();
    single!(out, PROBE_TURNS, 0.5, 0, 1);
    best.pairs = Math.min(best.pairs, between - began);
    best.single = Math.min(best.single, performance.now() - between);
  }
  return best.single / best.pairs; // both do the same number of operations
}
