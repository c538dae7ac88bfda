import { afterEach, expect, test, vi } from "vitest";
import { StateError, UnsupportedError } from "../../src/core/errors.ts";
import { compileBuild } from "../../src/runtime/node.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine, Engine } from "../../src/wasm/engine.ts";

afterEach(() => vi.restoreAllMocks());

test("a build that the engine cannot run is refused with the ones to use instead", async () => {
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  const asked = createEngine({ build: "relaxed" });
  await expect(asked).rejects.toThrow(UnsupportedError);
  await expect(asked).rejects.toThrow('this JavaScript engine does not support relaxed SIMD; use "baseline" or "auto"');
});

test.each([0, -1, 1.5, Number.NaN, 65])("threads: %f is refused", async (threads) => {
  await expect(createEngine({ threads })).rejects.toThrow("expected a whole number from 1 to 64");
});

test.each([0, -1, Number.NaN, "x"])("maxBytes: %s is refused", async (maxBytes) => {
  await expect(createEngine({ maxBytes: maxBytes as number })).rejects.toThrow(
    /"maxBytes" is (0|-1|NaN|"x"), expected a whole number from 1/,
  );
});

test("without WebAssembly the error says so", async () => {
  vi.stubGlobal("WebAssembly", undefined);
  try {
    await expect(createEngine()).rejects.toThrow("this JavaScript engine has no WebAssembly");
  } finally {
    vi.unstubAllGlobals();
  }
});

test("a module of one's own is used instead of the bundled one", async () => {
  const compile = vi.spyOn(WebAssembly, "Module");
  const module = await compileBuild("baseline");
  compile.mockClear();
  using engine = await createEngine({ build: "baseline", module });
  expect(compile).not.toHaveBeenCalled();
  expect(Object.keys(engine.kernels).sort()).toEqual(
    WebAssembly.Module.exports(module)
      .map((e) => e.name)
      .sort(),
  );
});

test("two engines share no memory", async () => {
  using one = await createEngine({ build: "baseline" });
  using other = await createEngine({ build: "baseline" });
  const ptr = one.memory.alloc(4, "x");
  expect(other.memory.alloc(4, "x")).toBe(ptr);
  one.memory.f32(ptr, 1)[0] = 1;
  other.memory.f32(ptr, 1)[0] = 2;
  other.kernels.scale_f32(ptr, 3, 0, 1);
  expect([one.memory.f32(ptr, 1)[0], other.memory.f32(ptr, 1)[0]]).toEqual([1, 6]);
});

test("the arena of a step is kept for the next, grows when it is too small, and is one at a time", async () => {
  using engine = await createEngine({ build: "baseline" });
  const first = engine.takeArena(1000);
  expect(() => engine.takeArena(10)).toThrow(StateError);
  first.alloc(640);
  engine.returnArena();
  expect(first.usedBytes).toBe(0);
  expect(engine.takeArena(1000)).toBe(first);
  engine.returnArena();
  const larger = engine.takeArena(2000);
  expect(larger.capacity).toBe(2000);
  expect(engine.memory.usedBytes, "the smaller one was given back").toBe(2048);
  engine.returnArena();
});

test("a step that fails gives its arena back", async () => {
  using engine = await createEngine({ build: "baseline" });
  const step = () =>
    Tape.run(engine, 1024, {}, () => {
      throw new RangeError("in the step");
    });
  expect(step).toThrow("in the step");
  expect(step).toThrow("in the step");
});

test("a disposed engine has given its working memory back and runs no step; disposing twice is allowed", async () => {
  const engine = await createEngine({ build: "baseline" });
  Tape.run(engine, 1024, {}, () => undefined);
  engine.dispose();
  engine[Symbol.dispose]();
  expect(engine.memory.usedBytes).toBe(0);
  expect(() => Tape.run(engine, 64, {}, () => undefined)).toThrow(StateError);
});

test("the memory limit of an engine is that of its memory", async () => {
  const module = await compileBuild("baseline");
  using engine = new Engine(module, "baseline", { maxBytes: 1 << 20 });
  expect(() => engine.memory.alloc(1 << 20, "a weight")).toThrow(
    "a weight needs 1.0 MB more, but 0 B of at most 1.0 MB are in use",
  );
});
