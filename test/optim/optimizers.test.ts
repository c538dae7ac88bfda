/** Every optimiser against the published one: see test/golden/README.md. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Options } from "../../src/core/options.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { Adafactor } from "../../src/optim/adafactor.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { AdamW8bit } from "../../src/optim/adamw8bit.ts";
import { bytesOf, type Optimizer, type OptimizerClass } from "../../src/optim/define-optimizer.ts";
import { dynamicLevels } from "../../src/optim/dynamic-levels.ts";
import { type OptimizerName, optimizerNames, optimizers } from "../../src/optim/optimizers.ts";
import { SGD } from "../../src/optim/sgd.ts";
import { Param } from "../../src/tensor/tensor.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose, golden } from "../golden-files.ts";

const engine = await createEngine({ build: "baseline" });
const read = <T>(name: string) => JSON.parse(readFileSync(`${golden}/optim/${name}.json`, "utf8")) as T;

function param(name: string, shape: Shape, values: ArrayLike<number> | null = null): Param {
  const made = new Param(engine.memory, name, shape);
  if (values !== null) made.values().set(values);
  made.setTrainable(true);
  return made;
}

const params = (shapes: Readonly<Record<string, Shape>>, values: Readonly<Record<string, number[]>>) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, param(name, shape, values[name]!)]));

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

interface Bytes {
  readonly shape: Shape;
  readonly lr: number;
  readonly steps: number;
  readonly betas: [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly every: number;
  readonly after: number[];
  readonly exp_avg: string;
  readonly exp_avg_sq: string;
  readonly exp_avg_absmax: number[];
  readonly exp_avg_sq_absmax: number[];
  readonly signed: number[];
  readonly unsigned: number[];
}
const published = read<Bytes>("adamw8bit");

/** What make_optimizer_goldens.py calls `sequence`. */
function sequence(seed: number, length: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const part = 0.25 + (0.75 * ((state >>> 16) & 0x7fff)) / 2 ** 15;
    return (state >>> 31 ? -part : part) * 8 ** -(i % 3);
  });
}

const contents = ({ slots }: Optimizer, name: string) => {
  const { ptr, shape, dtype } = slots[0]!.state.find((tensor) => tensor.name === name)!;
  const size = sizeOf(shape);
  return Array.from(dtype === "F32" ? engine.memory.f32(ptr, size) : engine.memory.u8(ptr, size));
};

describe("AdamW8bit", () => {
  const size = sizeOf(published.shape);
  const [beta1, beta2] = published.betas;
  const options = { beta1, beta2, eps: published.eps, weightDecay: published.weight_decay };
  const moveBy = (optimizer: Optimizer, steps: number): Float32Array => {
    const { param: p } = optimizer.slots[0]!;
    for (let step = 0; step < steps; step++) {
      p.gradient().set(sequence(step + 2, size));
      optimizer.step(published.lr);
    }
    return p.values();
  };
  const fresh = () => new Map([["p", param("p", published.shape, sequence(1, size))]]);

  test("six steps are those of bitsandbytes: parameters, codes and scales", () => {
    using optimizer = new AdamW8bit(engine, fresh(), options);
    const sampled = moveBy(optimizer, published.steps).filter((_, i) => i % published.every === 0);
    expectClose("p", sampled, published.after, 1e-6, 1e-6);
    const differing = (name: string, text: string) => {
      const want = Buffer.from(text, "base64");
      return contents(optimizer, name).filter((code, i) => code !== want[i]).length;
    };
    // A number halfway between two levels may be rounded to either.
    expect(differing("exp_avg", published.exp_avg)).toBeLessThanOrEqual(2);
    expect(differing("exp_avg_sq", published.exp_avg_sq)).toBeLessThanOrEqual(2);
    expectClose("absmax of m", contents(optimizer, "exp_avg_absmax"), published.exp_avg_absmax, 0, 1e-6);
    expectClose("absmax of v", contents(optimizer, "exp_avg_sq_absmax"), published.exp_avg_sq_absmax, 0, 1e-6);
  });

  test("its levels are those of bitsandbytes up to rounding", () => {
    expectClose("signed", dynamicLevels(true), published.signed, 0, 3e-7);
    expectClose("unsigned", dynamicLevels(false), published.unsigned, 0, 3e-7);
  });

  test("tensors below 4096 numbers take the very steps of AdamW", () => {
    const after = [AdamW, AdamW8bit].map((kind) => {
      const p = param("p", [4095], sequence(1, 4095));
      using optimizer = new kind(engine, new Map([["p", p]]), { weightDecay: 0.1 });
      for (let step = 0; step < 3; step++) {
        p.gradient().set(sequence(step + 2, 4095));
        optimizer.step(0.01);
      }
      return Array.from(p.values());
    });
    expect(after[1]).toEqual(after[0]);
  });

  test("a parameter whose gradient falls silent is not thrown away, though its second moment is far below the block's", () => {
    const p = param("p", [4096], new Float32Array(4096));
    using optimizer = new AdamW8bit(engine, new Map([["p", p]]));
    for (let step = 0; step < 20; step++) {
      p.gradient().fill(1);
      p.gradient()[1] = step === 0 ? 3e-4 : 0; // its square is 9e-8 of the block's largest: below half of the least level
      optimizer.step(1e-3);
    }
    expect(Math.abs(p.values()[1]!)).toBeLessThan(0.02);
  });
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

test("the workspace that AdamW8bit counts is what its kernel asks for", () => {
  const told = AdamW8bit.stateBytes([{ shape: [4096] }], {}, 3) - AdamW8bit.stateBytes([{ shape: [4096] }], {}, 2);
  expect(told).toBe(engine.kernels.adamw_8bit_workspace(256));
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
  expect(make("sgd", { nesterov: true })).toThrow(
    /nesterov needs a momentum above 0 and dampening 0, found momentum 0/,
  );
  expect(make("lion", { beta2: 1 })).toThrow(/Lion: "beta2" is 1, expected a number from 0 up to but not including 1/);
  expect(make("adafactor", { warmupInit: true })).toThrow(/warmupInit needs relativeStep/);
  const before = engine.memory.usedBytes;
  expect(make("adamw8bit", { eps: "x" })).toThrow(/AdamW8bit: "eps" is "x"/);
  expect(engine.memory.usedBytes).toBe(before);
});
