import { expect, test } from "vitest";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { geluErf, geluErfDx, geluGate, geluGateD, geluTanh, geluTanhDx, normal } from "../reference/gelu.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const forms = [
  { kernel: "gelu_erf_f32", value: geluErf, gradient: geluErfDx },
  { kernel: "gelu_tanh_f32", value: geluTanh, gradient: geluTanhDx },
] as const;

function prepare(build: string, kernel: (typeof forms)[number]["kernel"], n: number, size = 4) {
  const bed = new Bed(build, n);
  const x = bed.random(n, size);
  const dy = bed.random(n);
  const y = bed.empty(n);
  const dx = bed.random(n);
  const [atX, atDy, atY, atDx] = [x, dy, y, dx].map((a) => a.byteOffset) as [number, number, number, number];
  const forward = (start: number, end: number) => bed.kernels[kernel](atY, atX, start, end);
  const backward = (start: number, end: number) => bed.kernels[`${kernel}_dx`](atDx, atDy, atX, start, end);
  return { bed, x, dy, y, dx, forward, backward };
}

test("the f64 normal distribution has its published values on both sides of the change of formula", () => {
  const published = [
    [0, 0.5],
    [-1, 0.15865525393145705],
    [-2, 0.02275013194817921],
    [-3, 0.0013498980316301],
    [-4, 3.1671241833119924e-5],
    [-6, 9.865876450376981e-10],
  ] as const;
  for (const [x, value] of published) {
    expect(normal(x).value / value).toBeCloseTo(1, 12);
    expect(normal(-x).value).toBeCloseTo(1 - value, 14);
  }
});

for (const { kernel, value, gradient } of forms) {
  test(`the f64 gradient of ${kernel} matches finite differences`, () => {
    const x = numbers(15, 1).map((v) => 5 * v);
    const dy = numbers(15, 2);
    expectGradient((at) => value(at).values, x, dy, gradient(new Float64Array(15), dy, x).values);
  });

  for (const build of builds) {
    test(`${kernel} and its gradient (${build}) match f64 for every tail and size of x`, () => {
      for (const n of around4) {
        for (const size of [0.01, 1, 4, 14]) {
          const { bed, x, dy, y, dx, forward, backward } = prepare(build, kernel, n, size);
          const want = gradient(dx, dy, x);
          forward(0, n);
          backward(0, n);
          bed.check(y, value(x), 10);
          bed.check(dx, want, 14);
        }
      }
    });

    test(`${kernel} (${build}) is 0 far below, x far above, and keeps NaN`, () => {
      const { x, y, forward } = prepare(build, kernel, 4);
      x.set([-1e4, 1e4, Number.NaN, 0]);
      forward(0, 4);
      expect(Array.from(y, Math.abs)).toEqual([0, 1e4, Number.NaN, 0]);
    });

    test(`${kernel} and its gradient (${build}) give the same bits in one call and in ranges`, () => {
      const same = (i: number) => i;
      checkRanges(37, () => {
        const { forward, y } = prepare(build, kernel, 37);
        return { run: forward, outputs: [[y, same]] };
      });
      checkRanges(37, () => {
        const { backward, dx } = prepare(build, kernel, 37);
        return { run: backward, outputs: [[dx, same]] };
      });
    });
  }
}

function prepareGate(build: string, n: number, size: number) {
  const bed = new Bed(build, n);
  const [gate, up, dy] = [bed.random(n, size), bed.random(n, 2), bed.random(n)];
  const [y, dgate, dup] = [bed.empty(n), bed.random(n), bed.random(n)];
  const at = (a: Float32Array) => a.byteOffset;
  const forward = (start: number, end: number) => bed.kernels.gelu_gate_f32(at(y), at(gate), at(up), start, end);
  const backward = (start: number, end: number) =>
    bed.kernels.gelu_gate_f32_d(at(dgate), at(dup), at(dy), at(gate), at(up), start, end);
  return { bed, gate, up, dy, y, dgate, dup, forward, backward };
}

test("the f64 gradients of the gelu gate match finite differences", () => {
  const gate = numbers(9, 1).map((v) => 4 * v);
  const [up, dy, zeros] = [numbers(9, 2), numbers(9, 3), new Float64Array(9)];
  const { dgate, dup } = geluGateD({ dgate: zeros, dup: zeros }, dy, gate, up);
  expectGradient((at) => geluGate(at, up).values, gate, dy, dgate.values);
  expectGradient((at) => geluGate(gate, at).values, up, dy, dup.values);
});

for (const build of builds) {
  test(`gelu_gate_f32 and its gradients (${build}) match f64 for every tail and size of gate`, () => {
    for (const n of around4) {
      for (const size of [0.01, 4, 14]) {
        const { bed, gate, up, dy, y, dgate, dup, forward, backward } = prepareGate(build, n, size);
        const want = geluGateD({ dgate, dup }, dy, gate, up);
        forward(0, n);
        backward(0, n);
        bed.check(y, geluGate(gate, up), 11);
        bed.check(dgate, want.dgate, 15);
        bed.check(dup, want.dup, 12);
      }
    }
  });

  test(`gelu_gate_f32 and its gradients (${build}) give the same bits in one call and in ranges`, () => {
    checkRanges(37, () => {
      const { forward, y } = prepareGate(build, 37, 4);
      return { run: forward, outputs: [[y, (i) => i]] };
    });
    checkRanges(37, () => {
      const { backward, dgate, dup } = prepareGate(build, 37, 4);
      return {
        run: backward,
        outputs: [
          [dgate, (i) => i],
          [dup, (i) => i],
        ],
      };
    });
  });
}
