import { expect, test } from "vitest";
import { philox4x32 } from "../../src/core/random/philox.ts";
import { dropout, type Mask, maskFactors } from "../reference/dropout.ts";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const mask: Mask = { p: Math.fround(0.3), seed: [0xdeadbeef, 0x12345678], stream: 0x80000007 };

function prepare(build: string, n: number, { p, seed, stream }: Mask = mask) {
  const bed = new Bed(build, n);
  const x = bed.random(n);
  const y = bed.empty(n);
  const dx = bed.random(n);
  const args = [p, seed[0] | 0, seed[1] | 0, stream | 0] as const;
  const forward = (start: number, end: number) =>
    bed.kernels.dropout_f32(y.byteOffset, x.byteOffset, ...args, start, end);
  const backward = (start: number, end: number) =>
    bed.kernels.dropout_f32_dx(dx.byteOffset, x.byteOffset, ...args, start, end);
  return { bed, x, y, dx, forward, backward };
}

/** Known answers published with Random123 for philox4x32 with 10 rounds: counter, key, words. */
const published = [
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
].map((row) => row.map((words) => words.split(" ").map((word) => Number.parseInt(word, 16))));

test("the f64 gradient of dropout matches finite differences", () => {
  const [x, dy, zeros] = [numbers(15, 1), numbers(15, 2), new Float64Array(15)];
  expectGradient((at) => dropout(zeros, at, mask).values, x, dy, dropout(zeros, dy, mask).values);
});

for (const build of builds) {
  test(`philox4x32 (${build}) gives the published words, and those of src/core/random/philox.ts`, () => {
    const bed = new Bed(build);
    const out = new Uint32Array(bed.memory.buffer, bed.scratch(16), 4);
    for (const [counter, key, words] of published) {
      bed.kernels.philox4x32(
        out.byteOffset,
        ...(counter as [number, number, number, number]),
        ...(key as [number, number]),
      );
      expect(Array.from(out)).toEqual(words);
    }
    for (let i = 0; i < 100; i++) {
      const [c0, c1, c2, c3, k0, k1] = numbers(6, i).map((v) => Math.floor((v + 1) * 2 ** 31)) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      bed.kernels.philox4x32(out.byteOffset, c0, c1, c2, c3, k0, k1);
      expect(Array.from(out)).toEqual(philox4x32([c0, c1, c2, c3], [k0, k1]));
    }
    bed.checkGuards();
  });

  test(`dropout_f32 and its gradient (${build}) match the mask of src/core/random/philox.ts for every tail and probability`, () => {
    for (const n of around4) {
      for (const p of [0, 0.1, 0.5, 0.99].map(Math.fround)) {
        const { bed, x, y, dx, forward, backward } = prepare(build, n, { ...mask, p });
        const wantDx = dropout(dx, x, { ...mask, p });
        forward(0, n);
        backward(0, n);
        bed.check(y, dropout(new Float64Array(n), x, { ...mask, p }), 2);
        bed.check(dx, wantDx, 3);
      }
    }
  });

  test(`dropout_f32 (${build}) zeroes a share p of the elements, and other ones for another seed or stream`, () => {
    const n = 20000;
    const kept = (m: Mask) => {
      const { x, y, forward } = prepare(build, n, m);
      x.fill(1);
      forward(0, n);
      return Array.from(y, (v) => v !== 0);
    };
    const first = kept(mask);
    const deviation = Math.sqrt(mask.p * (1 - mask.p) * n);
    expect(Math.abs(first.filter((k) => !k).length - mask.p * n)).toBeLessThan(4 * deviation);
    for (const other of [
      { ...mask, stream: 8 },
      { ...mask, seed: [1, 2] as const },
    ]) {
      const both = kept(other).filter((k, e) => k && first[e]).length;
      expect(Math.abs(both - (1 - mask.p) ** 2 * n)).toBeLessThan(4 * deviation);
    }
    expect(first).toEqual(maskFactors(n, mask).map((f) => f !== 0));
  });

  test(`dropout_f32 and its gradient (${build}) give the same bits in one call and in ranges, wherever they are cut`, () => {
    const same = (i: number) => i;
    for (let n = 3; n <= 40; n++) {
      checkRanges(n, () => {
        const { forward, y } = prepare(build, n);
        return { run: forward, outputs: [[y, same]] };
      });
      checkRanges(n, () => {
        const { backward, dx } = prepare(build, n);
        return { run: backward, outputs: [[dx, same]] };
      });
    }
  });
}
