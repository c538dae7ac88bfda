import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type BuildAtWork, CHECK_PAGES, firstDifference, NF4 } from "../../src/kernels/wide-check.ts";
import { NF4_MAP, NF4_OFFSET, NF4_PLANES } from "../../src/wasm/generated/constants.ts";
import { declaredKernels, kernelSources } from "../scripts/scripts.ts";
import { builds } from "./bed.ts";

function atWork(build: string): BuildAtWork {
  const memory = new WebAssembly.Memory({ initial: CHECK_PAGES, maximum: 65535 });
  const module = new WebAssembly.Module(readFileSync(new URL(`../../build/${build}.wasm`, import.meta.url)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  return { kernels: exports as BuildAtWork["kernels"], memory };
}

describe.runIf(builds.includes("relaxed"))("the wide build", () => {
  test("is tried with the host's own header of weights in four bits", () => {
    expect(NF4).toEqual({ offset: NF4_OFFSET, planes: NF4_PLANES, map: NF4_MAP });
  });

  test("gives the bits of the relaxed build", () => {
    expect(firstDifference(atWork("wide"), atWork("relaxed"))).toBeNull();
  });

  test("is tried with at least one kernel of every file that has some", () => {
    const called = new Set<string>();
    const wide = atWork("wide");
    const recorded = Object.entries(wide.kernels).map(([name, kernel]) => [
      name,
      (...args: number[]) => {
        called.add(name);
        return kernel(...args);
      },
    ]);
    firstDifference(atWork("relaxed"), { ...wide, kernels: Object.fromEntries(recorded) });
    const all = declaredKernels(kernelSources());
    const tried = new Set(all.filter(({ name }) => called.has(name)).map(({ file }) => file));
    expect(all.filter(({ file }) => !tried.has(file)).map(({ name }) => name)).toEqual([
      ...["simd_peak", "simd_peak_pairs"], // tried by their speed
      "stream_read",
    ]);
  });

  test("a kernel that computes something else is found by its name", () => {
    const wide = atWork("wide");
    const wrong = (name: string): BuildAtWork["kernels"] => ({
      ...wide.kernels,
      [name]: (...args: number[]) => {
        wide.kernels[name]!(...args);
        new Uint8Array(wide.memory.buffer)[args[0]! + 17]! ^= 1;
      },
    });
    for (const name of [
      "matmul_f32",
      "matmul_nf4",
      "attention_f32_d",
      "gelu_erf_f32",
      "adamw_f32",
      "add_rows_f32",
    ] as const)
      expect(firstDifference({ ...wide, kernels: wrong(name) }, atWork("relaxed"))).toBe(name);
  });
});
