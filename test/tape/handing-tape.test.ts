import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { embedding } from "../../src/ops/embed/embedding.ts";
import { linear } from "../../src/ops/linear/linear.ts";
import { add } from "../../src/ops/pointwise/add.ts";
import { HandingTape } from "../../src/tape/handing-tape.ts";
import { Tape } from "../../src/tape/tape.ts";
import { Param } from "../../src/tensor/tensor.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { addressIn } from "../../src/wasm/memories.ts";

const build = "baseline";

async function engineOf(memories: number): Promise<Engine> {
  const engine = await createEngine({ build, threads: 1, memories });
  if (memories > 1) engine.tapes = HandingTape;
  return engine;
}

function paramIn(engine: Engine, index: number, shape: readonly [number, number], seed: number): Param {
  const { memory } = engine;
  const param = new Param(memory, `p${seed}`, shape, addressIn(index % memory.each.length));
  param.values().set(Float32Array.from({ length: param.size }, (_, i) => Math.sin(seed + i)));
  param.setTrainable(true);
  return param;
}

/** A value that layers in two other memories read, in turns, and its gradients. */
async function branches(memories: number) {
  using engine = await engineOf(memories);
  const table = paramIn(engine, 0, [5, 8], 1);
  const layers = [0, 1, 2, 1, 0, 2].map((index, i) => paramIn(engine, index, [8, 8], 2 + i));
  const losses = Tape.once(engine, { recording: true }, (tape) => {
    const x = embedding(tape.ids(Int32Array.of(0, 3, 3, 1)), table);
    let sum = x;
    for (const layer of layers) sum = add(sum, linear(add(x, sum), layer, "out-in", null));
    tape.backward(sum);
    return tape.download(sum);
  });
  return { losses, gradients: [table, ...layers].map((param) => param.gradient().slice()) };
}

test("sums of gradients have the order that they have in one memory", async () => {
  const one = await branches(1);
  expect(one.gradients.every((gradient) => gradient.some((value) => value !== 0))).toBe(true);
  for (const memories of [2, 3]) expect(await branches(memories)).toEqual(one);
});

test("a plan knows the copies", async () => {
  using engine = await engineOf(2);
  const param = paramIn(engine, 0, [8, 8], 1);
  const run = (tape: Tape) => {
    const x = tape.value([4, 8]);
    tape.fill(x.ptr, 32, 1);
    return linear(x, param, "out-in", null);
  };
  const bytes = Tape.plan(engine, {}, (tape) => void run(tape));
  expect(() => Tape.run(engine, bytes - 64, {}, run)).toThrow("of working memory");
  const made = Tape.run(engine, bytes, {}, (tape) => tape.download(run(tape)));
  expect(made.every((value) => value !== 0)).toBe(true);
});

test("what was handed over is not changed in place", async () => {
  using engine = await engineOf(2);
  const step = (tape: Tape) => {
    const x = tape.value([1, 4]);
    tape.at(addressIn(0), () => tape.recordInPlace(x, [], () => {}));
  };
  expect(() => Tape.once(engine, {}, step)).toThrow(
    new StateError("a Value that was handed over to another memory cannot be changed in place"),
  );
});
