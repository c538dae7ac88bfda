import { expect, test } from "vitest";
import { activated, activatedDx, activations, leakySlope } from "../reference/activation.ts";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const names = Object.keys(activations) as (keyof typeof activations)[];

/** Calls of each kernel and its gradient by address; leaky_relu has a slope besides. */
function calls({ kernels }: Bed, name: keyof typeof activations) {
  type Forward = (y: number, x: number, start: number, end: number) => void;
  type Backward = (dx: number, dy: number, at: number, start: number, end: number) => void;
  const all: Record<keyof typeof activations, [Forward, Backward]> = {
    relu: [kernels.relu_f32, kernels.relu_f32_dx],
    tanh: [kernels.tanh_f32, kernels.tanh_f32_dx],
    sigmoid: [kernels.sigmoid_f32, kernels.sigmoid_f32_dx],
    silu: [kernels.silu_f32, kernels.silu_f32_dx],
    leaky_relu: [
      (y, x, ...range) => kernels.leaky_relu_f32(y, x, leakySlope, ...range),
      (dx, dy, y, ...range) => kernels.leaky_relu_f32_dx(dx, dy, y, leakySlope, ...range),
    ],
  };
  return all[name];
}

function prepare(build: string, name: keyof typeof activations, n: number, size = 4) {
  const bed = new Bed(build, n);
  const x = bed.random(n, size);
  const [dy, y, dx] = [bed.random(n), bed.empty(n), bed.random(n)];
  const [value, gradient] = calls(bed, name);
  const forward = (start: number, end: number) => value(y.byteOffset, x.byteOffset, start, end);
  const at = activations[name].from === "x" ? x : y;
  const backward = (start: number, end: number) => gradient(dx.byteOffset, dy.byteOffset, at.byteOffset, start, end);
  return { bed, x, dy, y, dx, at, forward, backward };
}

for (const name of names) {
  const reference = activations[name];

  test(`the f64 gradient of ${name} matches finite differences`, () => {
    const x = numbers(15, 1).map((v) => 4 * v);
    const dy = numbers(15, 2);
    const at = reference.from === "x" ? x : x.map(reference.value);
    expectGradient(
      (moved) => activated(reference, moved).values,
      x,
      dy,
      activatedDx(reference, new Float64Array(15), dy, at).values,
    );
  });

  for (const build of builds) {
    test(`${name} and its gradient (${build}) match f64 for every tail and size of x`, () => {
      for (const n of around4) {
        for (const size of [0.001, 0.7, 4, 80]) {
          const { bed, x, dy, y, dx, at, forward, backward } = prepare(build, name, n, size);
          forward(0, n);
          bed.check(y, activated(reference, x), 5);
          const want = activatedDx(reference, dx, dy, at);
          backward(0, n);
          bed.check(dx, want, 10);
        }
      }
    });

    test(`${name} (${build}) has its limits far out, is 0 or ½ at 0, and keeps NaN`, () => {
      const { x, y, forward } = prepare(build, name, 4);
      x.set([-1e4, 1e4, Number.NaN, 0]);
      forward(0, 4);
      const want = [reference.value(-1e4), reference.value(1e4), Number.NaN, reference.value(0)];
      expect(Array.from(y, (v) => v + 0)).toEqual(want.map((v) => v + 0));
    });

    test(`${name} and its gradient (${build}) give the same bits in one call and in ranges`, () => {
      checkRanges(37, () => {
        const { forward, y } = prepare(build, name, 37);
        return { run: forward, outputs: [[y, (i) => i]] };
      });
      checkRanges(37, () => {
        const { forward, backward, dx } = prepare(build, name, 37);
        forward(0, 37);
        return { run: backward, outputs: [[dx, (i) => i]] };
      });
    });
  }
}
