/** Every optimizer against the published one: see test/golden/README.md. */
import { expect, test } from "vitest";
import type { Options } from "../../src/core/options.ts";
import type { Shape } from "../../src/core/shape.ts";
import { Adafactor } from "../../src/optim/adafactor.ts";
import { AdamW8bit } from "../../src/optim/adamw8bit.ts";
import { bytesOf, type OptimizerClass } from "../../src/optim/define-optimizer.ts";
import { type OptimizerName, optimizerNames, optimizers } from "../../src/optim/optimizers.ts";
import { SGD } from "../../src/optim/sgd.ts";
import { Param } from "../../src/tensor/tensor.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose } from "../golden-files.ts";
import { engine, param, params, read, sequence } from "./golden.ts";

const kindOf = (name: OptimizerName): OptimizerClass<Options> => optimizers[name];

interface Steps {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly rates: number[];
  readonly start: Readonly<Record<string, number[]>>;
  readonly gradients: Readonly<Record<string, number[]>>[];
  readonly cases: readonly {
    readonly optimizer: OptimizerName;
    readonly options: Readonly<Record<string, unknown>>;
    readonly after: Readonly<Record<string, number[]>>;
  }[];
}
const steps = read<Steps>("steps");

/** Options as they are called here. */
function ours(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const { eps, ...plain } = Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));
  return { ...plain, ...(Array.isArray(eps) && { eps1: eps[0], eps2: eps[1] }) };
}

test.each(steps.cases)("five steps of $optimizer with $options are the published ones", (given) => {
  const trained = params(steps.shapes, steps.start);
  using optimizer = new (kindOf(given.optimizer))(engine, trained, ours(given.options));
  steps.gradients.forEach((gradients, i) => {
    // The gradients are there at half their size, and count twice.
    for (const [name, p] of trained) p.gradient().set(gradients[name]!.map((x) => Math.fround(x) / 2));
    optimizer.step(steps.rates[i]!, 2);
  });
  for (const [name, p] of trained) {
    expectClose(`${given.optimizer} ${name}`, p.values(), given.after[name]!, 2e-6, 4e-6);
  }
});

test.each(optimizerNames)("%s gives the same bits with three threads as with one", async (name) => {
  const shape = [301, 203];
  const after = await Promise.all(
    [1, 3].map(async (threads) => {
      using own = await createEngine({ build: "baseline", threads });
      const p = new Param(own.memory, "p", shape);
      p.values().set(sequence(1, p.size));
      p.setTrainable(true);
      using optimizer = new (kindOf(name))(own, new Map([["p", p]]));
      for (let step = 0; step < 3; step++) {
        p.gradient().set(sequence(step + 2, p.size));
        optimizer.step(0.01);
      }
      const state = optimizer.slots[0]!.state.map((tensor) => own.memory.u8(tensor.ptr, bytesOf(tensor)).slice());
      return [p.values().slice(), ...state];
    }),
  );
  expect(after[1]).toEqual(after[0]);
});

test("state takes the bytes that are told beforehand: 8, 2 and scales, 4, and little for Adafactor, a number", () => {
  const shapes = [[512, 300], [300], [3, 4, 5]];
  const numbers = 512 * 300 + 300 + 60;
  const each: Record<string, number> = {};
  for (const name of optimizerNames) {
    const trained = new Map(shapes.map((shape, i) => [`p${i}`, param(`p${i}`, shape)]));
    const before = engine.memory.usedBytes;
    const optimizer = new (kindOf(name))(engine, trained);
    const used = engine.memory.usedBytes - before;
    expect(used, name).toBe(kindOf(name).stateBytes(trained.values(), {}, engine.threads));
    optimizer.dispose();
    expect(engine.memory.usedBytes, name).toBe(before);
    each[name] = used / numbers;
  }
  expect(each.adamw).toBeCloseTo(8, 1);
  expect(each.lion).toBeCloseTo(4, 1);
  expect(each.sgd).toBe(0);
  expect(SGD.stateBytes([{ shape: [100, 16] }], { momentum: 0.9 })).toBe(6400);
  expect(Adafactor.stateBytes([{ shape: [1000, 500] }])).toBe(4032 + 2048 + 8000);
  const million = AdamW8bit.stateBytes([{ shape: [1024, 1024] }]) / 2 ** 20;
  expect(million).toBeGreaterThan(2);
  expect(million).toBeLessThan(2.05);
});

test("groups have a learning rate and weight decay of their own; the first that takes a parameter has it", () => {
  const names = ["a.bias", "a.weight", "b.bias", "b.weight"];
  const trained = new Map(names.map((name) => [name, param(name, [2], [1, 2])]));
  const groups = [
    { has: (name: string) => name.endsWith("bias"), weightDecay: 0 },
    { has: (name: string) => name.startsWith("b"), lrFactor: 10 },
  ];
  using optimizer = new SGD(engine, trained, { weightDecay: 0.5, groups });
  for (const p of trained.values()) p.gradient().fill(1);
  optimizer.step(0.01);
  const expected = { "a.bias": 0.99, "a.weight": 0.985, "b.bias": 0.99, "b.weight": 0.85 };
  for (const [name, value] of Object.entries(expected)) expect(trained.get(name)!.values()[0]).toBeCloseTo(value, 6);
});

test("wrong options are named, all at once, with what is near", () => {
  const trained = new Map([["p", param("p", [1])]]);
  const make = (name: OptimizerName, options: object) => () => new (kindOf(name))(engine, trained, options);
  expect(make("sgd", { momentun: 0.9, weightDecay: -1 })).toThrow(
    /SGD: "momentun" is not an option. Did you mean "momentum"\?\nSGD: "weightDecay" is -1, expected a number of at least 0/,
  );
  expect(make("sgd", { nesterov: true })).toThrow(/nesterov needs momentum above 0 and dampening 0, found momentum 0/);
  expect(make("lion", { beta2: 1 })).toThrow(/Lion: "beta2" is 1, expected a number from 0 up to but not including 1/);
  expect(make("adafactor", { warmupInit: true })).toThrow(/warmupInit needs relativeStep/);
  const before = engine.memory.usedBytes;
  expect(make("adamw8bit", { eps: "x" })).toThrow(/AdamW8bit: "eps" is "x"/);
  expect(engine.memory.usedBytes).toBe(before);
});
