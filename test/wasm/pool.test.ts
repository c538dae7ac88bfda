import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { instantiateSync } from "@assemblyscript/loader";
import { describe, expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import type { StartThread } from "../../src/core/host.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { type Build, relaxedSupported } from "../../src/kernels/builds.ts";
import { compileBuild, startThread } from "../../src/runtime/node.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { type Kernels, splits } from "../../src/wasm/generated/kernels.ts";
import { Memory, type Ptr } from "../../src/wasm/memory.ts";
import { Pool } from "../../src/wasm/pool.ts";

const builds: Build[] = relaxedSupported() ? ["baseline", "relaxed"] : ["baseline"];

function place(engine: Pick<Engine, "memory">, length: number, stream: number): Ptr {
  const ptr = engine.memory.alloc(length * 4, "numbers");
  const random = new Philox(1, stream);
  engine.memory.f32(ptr, length).forEach((_, i, all) => {
    all[i] = random.below(2001) / 1000 - 1;
  });
  return ptr;
}

const bits = (engine: Engine, ptr: Ptr, length: number) => Buffer.from(engine.memory.u8(ptr, length * 4).slice());

/** y = x·Wᵀ for a few shapes, forward and backward layouts; returns all bytes of all results. */
function products(engine: Engine): Buffer {
  const { kernels } = engine;
  const results = [];
  for (const [m, n, k] of [
    [37, 200, 64],
    [512, 64, 80],
    [64, 640, 33],
    [400, 31, 50],
    [1000, 100, 20],
  ] as const) {
    for (const layout of [0, 1]) {
      const [a, b, c] = [place(engine, m * k, 1), place(engine, n * k, 2), place(engine, m * n, 3)];
      const workspace = engine.memory.alloc(kernels.matmul_workspace(), "workspace");
      const ldb = layout === 1 ? k : n;
      kernels.matmul_f32(c, a, b, m, n, k, k, ldb, n, layout, 0, 0, 0, 0, 0, 0, 0, workspace, 0, m, 0, n);
      results.push(bits(engine, c, m * n));
      for (const ptr of [a, b, c, workspace]) engine.memory.free(ptr);
    }
  }
  return Buffer.concat(results);
}

describe.each(builds)("%s build", (build) => {
  test("products have the same bits for any number of threads", async () => {
    using one = await createEngine({ build, threads: 1 });
    const want = products(one);
    for (const threads of [2, 3, 5]) {
      using engine = await createEngine({ build, threads });
      expect(engine.threads).toBe(threads);
      for (let round = 0; round < 20; round++) {
        expect(products(engine).equals(want)).toBe(true);
        await new Promise((resolve) => setTimeout(resolve, 5)); // threads come up, and park, meanwhile
      }
    }
  });
});

test("one thread means no shared memory", async () => {
  using one = await createEngine({ threads: 1 });
  expect(one.memory.wasm.buffer).toBeInstanceOf(ArrayBuffer);
  using two = await createEngine({ threads: 2 });
  expect(two.memory.wasm.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("a module of one's own runs on one thread", async () => {
  using engine = await createEngine({ module: await compileBuild("baseline"), build: "baseline", threads: 2 });
  expect(engine.threads).toBe(1);
});

test("workspaces have room for every thread", async () => {
  using one = await createEngine({ threads: 1 });
  using three = await createEngine({ threads: 3 });
  expect(three.kernels.matmul_workspace()).toBeGreaterThanOrEqual(3 * one.kernels.matmul_workspace());
  expect(three.kernels.attention_workspace(64)).toBeGreaterThanOrEqual(3 * one.kernels.attention_workspace(64));
});

test("every kernel that takes a range can be split, and those with a workspace say where it is", () => {
  expect(Object.keys(splits).length).toBeGreaterThan(50);
  expect(splits.matmul_f32).toMatchObject({ tile: true, workspace: { of: "matmul_workspace", given: [] } });
  expect(splits.attention_f32_d?.workspace?.of).toBe("attention_workspace");
  expect(splits.sum_squares_f32).toBeUndefined(); // a sum is never split
});

/** A pool of two whose caller runs `mine` in place of its own add kernel. */
async function poolOfTwo(start: StartThread, mine: (real: Kernels) => Partial<Kernels> = () => ({})) {
  const memory = new Memory(undefined, true);
  const module = await compileBuild("baseline", true);
  const { exports } = instantiateSync(module, { env: { memory: memory.wasm } }).instance;
  const real = exports as unknown as Kernels;
  const own = { ...real, ...mine(real) };
  const pool = new Pool(2, start, module, [memory], [own]);
  return { pool, memory, kernels: pool.kernels(own, 0) };
}

test("workers take part: a caller that does nothing until another has worked gets done", async () => {
  const size = 1 << 20;
  let address = 0;
  const { pool, memory, kernels } = await poolOfTwo(startThread, (real) => ({
    add_f32(y, a, b, start, end) {
      const last = new Float32Array(memory.wasm.buffer, address, size);
      for (const until = performance.now() + 30_000; last[size - 1] !== 2 && performance.now() < until; );
      real.add_f32(y, a, b, start, end);
    },
  }));
  address = memory.alloc(size * 4, "sum");
  const ones = memory.alloc(size * 4, "ones");
  memory.f32(ones, size).fill(1);
  const began = performance.now();
  kernels.add_f32(address, ones, ones, 0, size);
  expect(performance.now() - began).toBeLessThan(29_000);
  expect(memory.f32(address as Ptr, size).every((v) => v === 2)).toBe(true);
  pool.dispose();
});

test("jobs of few and of many chunks one right after the other are each done once", async () => {
  using engine = await createEngine({ threads: 4 });
  const { kernels, memory } = engine;
  const [few, many] = [place(engine, 9000, 1), place(engine, 200_000, 2)];
  memory.f32(few, 9000).fill(0);
  memory.f32(many, 200_000).fill(0);
  const one = memory.alloc(800_000, "ones");
  memory.f32(one, 200_000).fill(1);
  for (let job = 1; job <= 3000; job++) {
    kernels.add_f32(few, few, one, 0, 9000);
    if (job % 3 === 0) kernels.add_f32(many, many, one, 0, 200_000);
  }
  expect(memory.f32(few, 9000).every((v) => v === 3000)).toBe(true);
  expect(memory.f32(many, 200_000).every((v) => v === 1000)).toBe(true);
});

test("memory that grew after the threads came up is there for them", async () => {
  using engine = await createEngine({ threads: 2 });
  for (let round = 0; round < 10; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const size = 3_000_000;
    const [x, y] = [engine.memory.alloc(size * 4, "x"), engine.memory.alloc(size * 4, "y")];
    engine.memory.f32(x, size).fill(round);
    for (let i = 0; i < 20; i++) engine.kernels.copy_rows_f32(y, x, 1000, 1000, 1000, 0, size / 1000);
    expect(engine.memory.f32(y, size).every((v) => v === round)).toBe(true);
  }
});

test("a kernel that traps, in whichever thread, is an error at the call, and the engine goes on", async () => {
  using engine = await createEngine({ threads: 2, build: "baseline" });
  const x = place(engine, 100_000, 1);
  for (let round = 0; round < 10; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const outside = engine.memory.byteLength - 4 * 50_000; // the second half of the range lies outside
    expect(() => engine.kernels.add_f32(outside, x, x, 0, 100_000)).toThrow(
      /kernel add_f32: RuntimeError: memory access/,
    );
    engine.kernels.scale_f32(x, 1, 0, 100_000);
  }
});

test("a thread that ended is an error at the next call, which names it", async () => {
  const dies: StartThread = (_, data, lost) => startThread("() => { throw new Error('out of luck') }", data, lost);
  const { pool, memory, kernels } = await poolOfTwo(dies);
  const x = memory.alloc(400_000, "x");
  await expect
    .poll(
      () => {
        try {
          kernels.scale_f32(x, 1, 0, 100_000);
          return "";
        } catch (error) {
          return String(error);
        }
      },
      { timeout: 20_000 },
    )
    .toMatch("thread 2 of 2 ended: Error: out of luck; create a new engine, with threads: 1 if it happens again");
  expect(() => kernels.scale_f32(x, 1, 0, 100_000)).toThrow(StateError);
  pool.dispose();
});

test("a disposed engine computes no more on its threads", async () => {
  const engine = await createEngine({ threads: 2 });
  const x = place(engine, 100_000, 1);
  engine.dispose();
  expect(() => engine.kernels.scale_f32(x, 1, 0, 100_000)).toThrow("this engine was disposed of");
});

test("threads of a pool that is dropped end, and those of one that is held do not", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let ended = 0;
  const counted: StartThread = (source, data, lost) => {
    const thread = startThread(source, data, lost);
    return {
      end() {
        ended++;
        thread.end();
      },
    };
  };
  const held = await poolOfTwo(counted);
  const use = async () => {
    const { memory, kernels } = await poolOfTwo(counted);
    kernels.scale_f32(memory.alloc(400_000, "x"), 1, 0, 100_000);
  };
  for (let i = 0; i < 3; i++) await use();
  await expect
    .poll(
      () => {
        collect();
        return ended;
      },
      { timeout: 20_000 },
    )
    .toBe(3);
  held.kernels.scale_f32(held.memory.alloc(400_000, "x"), 1, 0, 100_000);
  held.pool.dispose();
  expect(ended).toBe(4);
});

test("idle threads do not keep a process alive", () => {
  const entry = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
  const program = `const { createEngine } = await import(${JSON.stringify(entry)});
    const engine = await createEngine({ threads: 3 });
    const x = engine.memory.alloc(400_000, "x");
    engine.kernels.scale_f32(x, 1, 0, 100_000);
    console.log(engine.threads);
    setTimeout(() => {}, 100);`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 30_000,
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "3\n" });
});
