import { expect, test } from "vitest";
import { lowRank, lowRankDa } from "../reference/low-rank.ts";
import { around4, Bed, builds } from "./bed.ts";

const ranks = [1, 2, 3, 4, 5, 7, 8, 9, 16, 64];
const gap = 3;

interface Sizes {
  m: number;
  k: number;
  r: number;
  layout: number;
}

/** Operands whose rows have gaps of random numbers, the same on every bed. */
function operands(bed: Bed, { m, k, r, layout }: Sizes) {
  const [ldx, ldu, lda] = [k + gap, r + gap, (layout ? k : r) + gap];
  return { ldx, ldu, lda, x: bed.random(m * ldx), u: bed.random(m * ldu), a: bed.random((layout ? r : k) * lda) };
}

function product(
  bed: Bed,
  s: Sizes,
  t: Float32Array,
  o: ReturnType<typeof operands>,
  start: number,
  end: number,
): void {
  const { x, a, ldx, lda } = o;
  bed.kernels.low_rank_f32(t.byteOffset, x.byteOffset, a.byteOffset, s.m, s.k, s.r, ldx, lda, s.layout, start, end);
}

function gradient(
  bed: Bed,
  s: Sizes,
  da: Float32Array,
  o: ReturnType<typeof operands>,
  start: number,
  end: number,
): void {
  const { u, x, ldu, ldx } = o;
  const { m, k, r, layout } = s;
  bed.kernels.low_rank_f32_da(da.byteOffset, u.byteOffset, x.byteOffset, m, k, r, 0.75, layout, ldu, ldx, start, end);
}

for (const build of builds)
  for (const layout of [0, 1]) {
    test(`low_rank_f32 (${build}, layout ${layout}) matches f64 for every tail`, () => {
      for (const m of [1, 2, 3, 4, 5, 9])
        for (const k of around4) {
          const bed = new Bed(build);
          for (const r of ranks) {
            const o = operands(bed, { m, k, r, layout });
            const t = bed.empty(m * r);
            product(bed, { m, k, r, layout }, t, o, 0, m);
            bed.check(t, lowRank(o.x, o.a, { m, k, r, layout, ...o }), k + 2);
          }
        }
    });

    test(`low_rank_f32_da (${build}, layout ${layout}) adds the f64 gradient for every tail`, () => {
      for (const m of [1, 2, 63, 65, 129, 130])
        for (const k of around4) {
          const bed = new Bed(build);
          for (const r of [1, 3, 4, 8, 9]) {
            const o = operands(bed, { m, k, r, layout });
            const da = bed.random(r * k);
            const want = lowRankDa(da, o.u, o.x, { m, k, r, layout, scale: 0.75, ...o });
            gradient(bed, { m, k, r, layout }, da, o, 0, k);
            bed.check(da, want, m + 4);
          }
        }
    });

    test(`low-rank products (${build}, layout ${layout}) do not depend on the range and stay inside it`, () => {
      const s = { m: 21, k: 37, r: 7, layout };
      const bed = new Bed(build);
      const o = operands(bed, s);
      const [whole, cut] = [bed.empty(s.m * s.r), bed.empty(s.m * s.r)];
      product(bed, s, whole, o, 0, s.m);
      product(bed, s, cut, o, 5, 12);
      expect(Array.from(cut)).toEqual(Array.from(whole, (v, i) => (i >= 5 * s.r && i < 12 * s.r ? v : Number.NaN)));
      product(bed, s, cut, o, 0, 5);
      product(bed, s, cut, o, 12, s.m);
      expect(cut).toEqual(whole);
      const [dWhole, dCut] = [bed.zeros(s.r * s.k), bed.zeros(s.r * s.k)];
      gradient(bed, s, dWhole, o, 0, s.k);
      gradient(bed, s, dCut, o, 6, 23);
      const column = (i: number) => (layout ? i % s.k : Math.floor(i / s.r));
      expect(Array.from(dCut)).toEqual(Array.from(dWhole, (v, i) => (column(i) >= 6 && column(i) < 23 ? v : 0)));
      gradient(bed, s, dCut, o, 0, 6);
      gradient(bed, s, dCut, o, 23, s.k);
      expect(dCut).toEqual(dWhole);
      bed.checkGuards();
    });
  }

test("the gradients of a and b are the derivatives of a low-rank product", () => {
  const bed = new Bed("baseline");
  const [m, k, r, n] = [4, 3, 2, 5];
  const x = Float64Array.from(bed.random(m * k));
  const a = Float64Array.from(bed.random(r * k));
  const b = Float64Array.from(bed.random(n * r));
  const dy = Float64Array.from(bed.random(m * n));
  const t = () => lowRank(x, a, { m, k, r, ldx: k, lda: k, layout: 1 }).values;
  const loss = () => {
    const y = lowRank(t(), b, { m, k: r, r: n, ldx: r, lda: r, layout: 1 }).values;
    return 0.75 * Array.from(y).reduce((sum, v, i) => sum + v * dy[i]!, 0);
  };
  const u = lowRank(dy, b, { m, k: n, r, ldx: n, lda: r, layout: 0 }).values;
  const zeros = (length: number) => new Float64Array(length);
  const scale = 0.75;
  const da = lowRankDa(zeros(r * k), u, x, { m, k, r, scale, layout: 1, ldu: r, ldx: k }).values;
  const db = lowRankDa(zeros(n * r), t(), dy, { m, k: n, r, scale, layout: 0, ldu: r, ldx: n }).values;
  for (const [at, gradient] of [
    [a, da],
    [b, db],
  ] as const) {
    at.forEach((value, i) => {
      at[i] = value + 2 ** -10;
      const above = loss();
      at[i] = value - 2 ** -10;
      const slope = (above - loss()) * 2 ** 9;
      at[i] = value;
      expect(Math.abs(slope - gradient[i]!)).toBeLessThan(1e-11);
    });
  }
});
