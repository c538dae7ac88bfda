import { expect, test } from "vitest";
import { AdamW, type AdamWOptions } from "../../src/optim/adamw.ts";
import { clipScale, gradientNorm } from "../../src/optim/clip.ts";
import { Param } from "../../src/tensor/tensor.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";

const engine = await createEngine({ build: "baseline" });

function param(owner: Engine, name: string, values: number[]): Param {
  const made = new Param(owner.memory, name, [values.length]);
  made.values().set(values);
  made.setTrainable(true);
  return made;
}

const gradientsOfP = [
  [1, -2, 0.5, 0, 3],
  [0.25, 2, -0.5, 1e-4, 3],
  [-1, 0.125, 4, 0, -3],
  [0.5, 0.5, 0.5, 0.5, 0.5],
];
const gradientsOfQ = [
  [0.5, -0.25],
  [2, 0],
  [-1, 1],
  [0.75, -8],
];

/** Four steps at 0.1, 0.1/2, 0.1/3, 0.1/4 with betas 0.9 and 0.98, eps 1e-6. */
function fourSteps(weightDecay: number, maxNorm: number, more: AdamWOptions = {}) {
  const p = param(engine, "p", [0.5, -1.25, 2, 0, -0.75]);
  const q = param(engine, "q", [1, -3]);
  const params = new Map([
    ["p", p],
    ["q", q],
  ]);
  using optimizer = new AdamW(engine, params, { beta2: 0.98, eps: 1e-6, weightDecay, ...more });
  const norms = gradientsOfP.map((gradient, i) => {
    optimizer.zeroGrad();
    p.gradient().set(gradient);
    q.gradient().set(gradientsOfQ[i]!);
    const norm = gradientNorm(engine, params.values());
    optimizer.step(0.1 / (i + 1), clipScale(norm, maxNorm));
    return norm;
  });
  return { p: [...p.values()], q: [...q.values()], norms };
}

function expectClose(got: number[], want: number[]): void {
  expect(got.length).toBe(want.length);
  for (const [i, value] of got.entries())
    expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(4 * 2 ** -24 * Math.max(1, Math.abs(want[i]!)));
}

// Made by torch 2.13.0: torch.optim.AdamW([p, q], betas=(0.9, 0.98), eps=1e-6, weight_decay=...) on the gradients above,
// torch.nn.utils.clip_grad_norm_ before each step.
const torchNorms = [3.816084146499634, 4.160829067230225, 5.2929792404174805, 8.112489700317383];

test("four steps without decay or clipping are those of torch", () => {
  const { p, q, norms } = fourSteps(0, 0);
  expectClose(
    p,
    [0.3526778221130371, -1.158892035484314, 1.8677318096160889, -0.06968914717435837, -0.9154980778694153],
  );
  expectClose(q, [0.8336952924728394, -2.8697402477264404]);
  for (const [i, norm] of norms.entries()) expect(norm).toBeCloseTo(torchNorms[i]!, 5);
});

test("four steps with weight decay 0.1 and norms clipped to 1.5 are those of torch", () => {
  const { p, q } = fourSteps(0.1, 1.5);
  expectClose(
    p,
    [0.3390500247478485, -1.1284942626953125, 1.8259738683700562, -0.0680079311132431, -0.9042280912399292],
  );
  expectClose(q, [0.8111945986747742, -2.8075718879699707]);
});

test("a norm below the limit is not scaled, and 0 turns clipping off", () => {
  expect(clipScale(0.5, 1)).toBe(1);
  expect(clipScale(1e9, 0)).toBe(1);
  expect(clipScale(4, 1)).toBe(1 / (4 + 1e-6));
});

test("the global norm of a gradient that holds NaN is NaN", () => {
  const p = param(engine, "p", [1, 2, 3, 4, 5]);
  p.gradient()[4] = Number.NaN;
  expect(gradientNorm(engine, [p])).toBeNaN();
});

test("the state is freed on disposal, once", () => {
  const params = new Map([["p", param(engine, "p", [1, 2, 3])]]);
  const before = engine.memory.usedBytes;
  const optimizer = new AdamW(engine, params);
  expect(engine.memory.usedBytes).toBeGreaterThan(before);
  optimizer.dispose();
  optimizer.dispose();
  expect(engine.memory.usedBytes).toBe(before);
});

test("a Param without a gradient and an empty list are refused", () => {
  const p = param(engine, "frozen one", [1]);
  p.setTrainable(false);
  expect(() => new AdamW(engine, new Map([["frozen one", p]]))).toThrow(/"frozen one" is not trainable/);
  expect(() => new AdamW(engine, new Map())).toThrow(/no trainable parameters/);
});
