import { expect, test } from "vitest";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { siluGate, siluGateD } from "../reference/silu-gate.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

function prepare(build: string, n: number, size: number) {
  const bed = new Bed(build, n);
  const gate = bed.random(n, size);
  const up = bed.random(n, 2);
  const dy = bed.random(n);
  const y = bed.empty(n);
  const dgate = bed.random(n);
  const dup = bed.random(n);
  const at = (a: Float32Array) => a.byteOffset;
  const forward = (start: number, end: number) => bed.kernels.silu_gate_f32(at(y), at(gate), at(up), start, end);
  const backward = (start: number, end: number) =>
    bed.kernels.silu_gate_f32_d(at(dgate), at(dup), at(dy), at(gate), at(up), start, end);
  return { bed, gate, up, dy, y, dgate, dup, forward, backward };
}

test("the f64 gradients of the silu gate match finite differences", () => {
  const gate = numbers(9, 1).map((v) => 4 * v);
  const [up, dy, zeros] = [numbers(9, 2), numbers(9, 3), new Float64Array(9)];
  const { dgate, dup } = siluGateD({ dgate: zeros, dup: zeros }, dy, gate, up);
  expectGradient((at) => siluGate(at, up).values, gate, dy, dgate.values);
  expectGradient((at) => siluGate(gate, at).values, up, dy, dup.values);
});

for (const build of builds) {
  test(`silu_gate_f32 and its gradients (${build}) match f64 for every tail and size of gate`, () => {
    for (const n of around4) {
      for (const size of [0.01, 4, 200]) {
        const { bed, gate, up, dy, y, dgate, dup, forward, backward } = prepare(build, n, size);
        const want = siluGateD({ dgate, dup }, dy, gate, up);
        forward(0, n);
        backward(0, n);
        bed.check(y, siluGate(gate, up), 10);
        bed.check(dgate, want.dgate, 12);
        bed.check(dup, want.dup, 12);
      }
    }
  });

  test(`silu_gate_f32 (${build}) is 0 for the most negative gates, and keeps NaN`, () => {
    const { gate, up, y, forward } = prepare(build, 4, 1);
    gate.set([-1e4, -3e38, Number.NaN, 1e4]);
    up.fill(0.5);
    forward(0, 4);
    expect(Array.from(y, Math.abs)).toEqual([0, 0, Number.NaN, 5000]);
  });

  test(`silu_gate_f32 and its gradients (${build}) give the same bits in one call and in ranges`, () => {
    const same = (i: number) => i;
    checkRanges(37, () => {
      const { forward, y } = prepare(build, 37, 4);
      return { run: forward, outputs: [[y, same]] };
    });
    checkRanges(37, () => {
      const { backward, dgate, dup } = prepare(build, 37, 4);
      return {
        run: backward,
        outputs: [
          [dgate, same],
          [dup, same],
        ],
      };
    });
  });
}
