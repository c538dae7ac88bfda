import { expect, test } from "vitest";
import { MeasuredMemory } from "../../src/wasm/measured-memory.ts";
import { Memory } from "../../src/wasm/memory.ts";

const PAGE = 65536;

test("a measured memory counts as another does, without a limit, and holds nothing", () => {
  const measured: Memory = new MeasuredMemory();
  const real = new Memory();
  for (const memory of [measured, real]) {
    const [a, b] = [memory.alloc(1000, "a"), memory.alloc(5 * PAGE, "b")];
    memory.free(a);
    expect(memory.alloc(64, "c")).toBe(a);
    expect(b).toBe(PAGE + 1024);
  }
  expect(measured.usedBytes).toBe(real.usedBytes);
  expect(measured.peakBytes).toBe(real.peakBytes);
  expect(Math.ceil(measured.byteLength / PAGE) * PAGE).toBe(real.byteLength);
  const far = measured.alloc(1e12, "far more than there is");
  for (const view of ["u8", "i8", "u16", "i32", "f32", "f64"] as const) expect(measured[view](far, 8)).toHaveLength(0);
  expect(measured.wasm.buffer.byteLength).toBe(PAGE);
});
