import { describe, expect, test } from "vitest";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { AdamW8bit } from "../../src/optim/adamw8bit.ts";
import type { Optimizer } from "../../src/optim/define-optimizer.ts";
import { dynamicLevels } from "../../src/optim/dynamic-levels.ts";
import { expectClose } from "../golden-files.ts";
import { engine, param, read, sequence } from "./golden.ts";

/** Steps of AdamW8bit in bitsandbytes. */
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

test("the workspace that AdamW8bit counts is what its kernel asks for", () => {
  const told = AdamW8bit.stateBytes([{ shape: [4096] }], {}, 3) - AdamW8bit.stateBytes([{ shape: [4096] }], {}, 2);
  expect(told).toBe(engine.kernels.adamw_8bit_workspace(256));
});
