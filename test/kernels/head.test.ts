import { expect, test } from "vitest";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { crossEntropy, dlogits, headDx, logitsOf, shiftedExp } from "../reference/head.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const rows = 5;
/** The gradients that come back to the losses, one for each row. */
const dloss = [0.3, -1.25, 0, 0.7, 2];
const gap = 2;

/** Rows of random logits, not yet seen by any kernel, and the running state of each row at its start. */
function prepare(build: string, vocabulary: number, size = 10) {
  const bed = new Bed(build, vocabulary);
  const logits = Array.from(bed.random(rows * vocabulary, size));
  const labels = Array.from({ length: rows }, (_, i) => (i * 7 + vocabulary - 1) % vocabulary);
  const max = bed.empty(rows).fill(Number.NEGATIVE_INFINITY);
  const sum = bed.zeros(rows);
  const [rescale, picked, lse, loss] = Array.from({ length: 4 }, () => bed.empty(rows)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const ids = bed.ints(labels);
  const at = [max, sum, rescale, picked, ids].map((a) => a.byteOffset) as [number, number, number, number, number];
  /** The columns of a chunk in the bed's memory, each row followed by a gap that holds NaN. */
  const chunk = (first: number, count: number) => {
    const array = bed.empty(rows * (count + gap));
    for (let i = 0; i < rows; i++) {
      const row = i * vocabulary + first;
      array.set(logits.slice(row, row + count), i * (count + gap));
    }
    const values = () => Array.from(array).filter((_, e) => e % (count + gap) < count);
    const run = (start: number, end: number) =>
      bed.kernels.head_chunk_f32(array.byteOffset, ...at, first, count, count + gap, start, end);
    return { array, values, run };
  };
  const finish = (start: number, end: number) =>
    bed.kernels.head_loss_f32(loss.byteOffset, lse.byteOffset, at[0], at[1], at[3], start, end);
  return { bed, logits, labels, ids, max, sum, rescale, picked, lse, loss, chunk, finish };
}

test("the f64 gradients of cross-entropy match finite differences, to the logits and to the hidden rows", () => {
  const [vocabulary, width] = [7, 3];
  const labels = [6, 0, 3];
  const [h, w] = [numbers(9, 1).map((v) => 3 * v), numbers(21, 2)];
  const dy = dloss.slice(1, 4);
  const logits = logitsOf(h, w, width);
  expect(logits.length).toBe(labels.length * vocabulary);
  expectGradient((at) => crossEntropy(at, labels).loss.values, logits, dy, dlogits(logits, labels, dy).values);
  const loss = (at: number[]) => crossEntropy(logitsOf(at, w, width), labels).loss.values;
  expectGradient(loss, h, dy, headDx(logits, w, width, labels, dy).values);
});

for (const build of builds) {
  test(`head_chunk_f32 and head_loss_f32 (${build}) match the f64 loss in chunks of any size`, () => {
    for (const vocabulary of around4) {
      for (const step of [1, 3, 4, 64].filter((s) => s <= vocabulary)) {
        const { bed, logits, labels, max, sum, rescale, picked, lse, loss, chunk, finish } = prepare(build, vocabulary);
        picked.fill(7);
        for (let first = 0; first < vocabulary; first += step) {
          const before = Float32Array.from(max);
          const { values, run } = chunk(first, Math.min(step, vocabulary - first));
          const raw = values();
          run(0, rows);
          const seen = (id: number, i: number) => (id < first + step ? logits[i * vocabulary + id] : 7);
          expect(Array.from(picked)).toEqual(labels.map(seen));
          bed.check(values(), shiftedExp(raw, max, raw.length / rows), 5);
          if (first > 0) bed.check(rescale, shiftedExp(before, max, 1), 5);
          else expect(Array.from(rescale)).toEqual(Array(rows).fill(0));
        }
        finish(0, rows);
        const want = crossEntropy(logits, labels);
        expect(Array.from(max)).toEqual(want.max);
        // Each step adds a rounded rescaling of all terms before it.
        bed.check(sum, want.sum, vocabulary + 6 * Math.ceil(vocabulary / step));
        bed.check(lse, want.lse, vocabulary + 6 * Math.ceil(vocabulary / step) + 3);
        bed.check(loss, want.loss, vocabulary + 6 * Math.ceil(vocabulary / step) + 3);
      }
    }
  });

  test(`the chunked walk with scale_rows_f32 and head_dx_f32 (${build}) gives the f64 gradient of the hidden rows`, () => {
    for (const width of around4) {
      const [vocabulary, step] = [37, 8];
      const { bed, logits, labels, sum, rescale, chunk } = prepare(build, vocabulary);
      const w = bed.random(vocabulary * width);
      const acc = bed.zeros(rows * width);
      for (let first = 0; first < vocabulary; first += step) {
        const { values, run } = chunk(first, Math.min(step, vocabulary - first));
        run(0, rows);
        bed.kernels.scale_rows_f32(acc.byteOffset, rescale.byteOffset, width, 0, rows);
        const e = values();
        const count = e.length / rows;
        e.forEach((v, at) => {
          const [i, id] = [Math.floor(at / count), first + (at % count)];
          for (let c = 0; c < width; c++) acc[i * width + c]! += v * w[id * width + c]!;
        });
      }
      const own = bed.from(labels.flatMap((id) => Array.from(w.subarray(id * width, (id + 1) * width))));
      const dx = bed.empty(rows * width);
      const args = [dx, acc, sum, own].map((a) => a.byteOffset) as [number, number, number, number];
      bed.kernels.head_dx_f32(...args, bed.from(dloss).byteOffset, width, 0, rows);
      bed.check(dx, headDx(logits, w, width, labels, dloss), 2 * vocabulary);
    }
  });

  test(`softmax_dlogits_f32 (${build}) matches the f64 gradient of the logits in chunks of any size`, () => {
    for (const vocabulary of around4) {
      for (const step of [1, 3, 4, 64].filter((s) => s <= vocabulary)) {
        const { bed, logits, labels, ids, lse, chunk } = prepare(build, vocabulary);
        const want = dlogits(logits, labels, dloss);
        const slopes = bed.from(dloss);
        lse.set(crossEntropy(logits, labels).lse.values);
        const got = Array<number>(rows * vocabulary);
        for (let first = 0; first < vocabulary; first += step) {
          const count = Math.min(step, vocabulary - first);
          const { array, values } = chunk(first, count);
          const args = [array, lse, ids, slopes].map((a) => a.byteOffset) as [number, number, number, number];
          bed.kernels.softmax_dlogits_f32(...args, first, count, count + gap, 0, rows);
          values().forEach((v, e) => {
            got[Math.floor(e / count) * vocabulary + first + (e % count)] = v;
          });
        }
        bed.check(got, want, 6);
      }
    }
  });

  test(`head_chunk_f32 (${build}) makes the loss of a row with a NaN logit NaN, and of no other row`, () => {
    const { loss, logits, chunk, finish } = prepare(build, 9);
    logits[2 * 9 + 6] = Number.NaN;
    chunk(0, 5).run(0, rows);
    chunk(5, 4).run(0, rows);
    finish(0, rows);
    expect(Array.from(loss, Number.isNaN)).toEqual([false, false, true, false, false]);
  });

  test(`head_loss_f32 (${build}) keeps the loss of very certain and very large logits`, () => {
    const { bed, loss, logits, labels, chunk, finish } = prepare(build, 4);
    logits.splice(0, 12, 0, 0, 0, 80, 1000, -1000, 0, 3, 3e4, 3e4, 3e4, 3e4);
    chunk(0, 4).run(0, rows);
    finish(0, rows);
    bed.check(loss, crossEntropy(logits, labels).loss, 8);
  });

  test(`the head kernels (${build}) give the same bits in one call and in ranges`, () => {
    const same = (i: number) => i;
    const width = 37;
    checkRanges(rows, () => {
      const { max, sum, rescale, picked, chunk } = prepare(build, width);
      const { array, run } = chunk(0, width);
      const outputs = [max, sum, rescale, picked].map((a) => [a, same] as const);
      return { run, outputs: [...outputs, [array, (e) => Math.floor(e / (width + gap))]] };
    });
    checkRanges(rows, () => {
      const { lse, loss, chunk, finish } = prepare(build, width);
      chunk(0, width).run(0, rows);
      return {
        run: finish,
        outputs: [
          [lse, same],
          [loss, same],
        ],
      };
    });
    for (const kernel of ["scale_rows_f32", "head_dx_f32", "softmax_dlogits_f32"] as const) {
      checkRanges(rows, () => {
        const bed = new Bed(build);
        const [y, acc, own] = [1, 2, 3].map(() => bed.random(rows * width)) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        const [atY, atAcc, atOwn, atC] = [y, acc, own, bed.random(rows)].map((a) => a.byteOffset) as [
          number,
          number,
          number,
          number,
        ];
        const ids = bed.ints([36, 0, 7, 12, 99]).byteOffset;
        const run = {
          scale_rows_f32: (s: number, e: number) => bed.kernels.scale_rows_f32(atY, atC, width, s, e),
          head_dx_f32: (s: number, e: number) => bed.kernels.head_dx_f32(atY, atAcc, atC, atOwn, atC, width, s, e),
          softmax_dlogits_f32: (s: number, e: number) =>
            bed.kernels.softmax_dlogits_f32(atY, atC, ids, atC, 0, width, width, s, e),
        }[kernel];
        return { run, outputs: [[y, (e) => Math.floor(e / width)]] };
      });
    }
  });
}
