import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { BuildAtWork } from "../../src/kernels/wide-check.ts";
import { compileDot, expectGain, expectSameProducts, gainOfDots } from "../../src/runtime/dot-build.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { dotsAreRight } from "../kernels/int8.ts";

function built(name: string): BuildAtWork {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65535 });
  const module = new WebAssembly.Module(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  return { kernels: exports as BuildAtWork["kernels"], memory };
}

describe.runIf(dotsAreRight)("the wide build of Arm", () => {
  test("multiplies integers with the bits of the relaxed build", () => {
    expectSameProducts(built("dot"), built("relaxed"));
  });

  test("is refused if one number of a product is another", () => {
    const work = built("dot");
    const multiply = work.kernels.matmul_int8!;
    const wrong = (...args: number[]) => {
      multiply(...args);
      new Uint8Array(work.memory.buffer)[args[0]! + 400]! ^= 1;
    };
    expect(() => expectSameProducts({ ...work, kernels: { matmul_int8: wrong } }, built("relaxed"))).toThrow(
      "the wide build gives other numbers than the relaxed build here, in matmul_int8",
    );
  });

  test("is refused where its operations are not faster, by their ratio", () => {
    const gain = gainOfDots();
    expect(gain).toBeGreaterThan(0.05);
    expect(gain).toBeLessThan(10);
    expect(() => expectGain(1.04)).toThrow(
      "dot products of bytes run at 1.0 times the speed of products of 16 bits here",
    );
    expectGain(2);
  });

  test("is compiled where they are much faster, and not where they are slower", async () => {
    const gain = gainOfDots();
    const outcome = await compileDot(false).then(() => "compiled", (error) => error.message); // biome-ignore format: one line
    if (gain < 1) expect(outcome).toMatch(/^dot products of bytes run at \d\.\d times the speed/);
    if (gain > 1.7) expect(outcome).toBe("compiled");
  });

  test.runIf(process.arch === "arm64")("serves an engine where it pays, and says why where it does not", async () => {
    const said: string[] = [];
    using engine = await createEngine({ build: "fastest", threads: 1, onWarning: (text) => said.push(text) });
    const pays = await compileDot(false).then(() => true, () => false); // biome-ignore format: one line
    expect([engine.build, said.length]).toEqual(pays ? ["wide", 0] : ["relaxed", 1]);
  });
});
