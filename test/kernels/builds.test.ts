import { afterEach, expect, test, vi } from "vitest";
import { relaxedSupported } from "../../src/kernels/builds.ts";
import { compileBundled } from "../../src/kernels/bundled.ts";
import { createEngine } from "../../src/wasm/engine.ts";

afterEach(() => vi.restoreAllMocks());

test("auto takes the relaxed build just where the engine has relaxed SIMD", async () => {
  using engine = await createEngine();
  expect(engine.build).toBe(relaxedSupported() ? "relaxed" : "baseline");
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  using plain = await createEngine();
  expect(plain.build).toBe("baseline");
});

test("the probe for relaxed SIMD agrees with the relaxed build itself", async () => {
  const compiles = await compileBundled("relaxed").then(
    () => true,
    () => false,
  );
  expect(relaxedSupported()).toBe(compiles);
});
