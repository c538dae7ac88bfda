import { expect, test } from "vitest";
import {
  embedding,
  embeddingColumns,
  embeddingColumnsDa,
  embeddingDtable,
  embeddingInt8,
} from "../reference/embedding.ts";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const vocabulary = 9;
const ids = [8, 0, 3, 3, 1, 3, 8];
const rows = ids.length;

function prepare(build: string, width: number) {
  const bed = new Bed(build, width);
  const { kernels } = bed;
  const at = (a: { byteOffset: number }) => a.byteOffset;
  const ldt = width + 3;
  const table = bed.random(vocabulary * ldt);
  const dtable = bed.random(vocabulary * width);
  const a = bed.random(width * vocabulary);
  const da = bed.random(width * vocabulary);
  const dy = bed.random(rows * width);
  const y = bed.empty(rows * width);
  const at32 = bed.ints(ids).byteOffset;
  return {
    bed,
    ldt,
    table,
    dtable,
    a,
    da,
    dy,
    y,
    gather: (s: number, e: number) => kernels.embedding_f32(at(y), at(table), at32, width, ldt, s, e),
    scatter: (s: number, e: number) => kernels.embedding_f32_dtable(at(dtable), at(dy), at32, rows, width, s, e),
    columns: (s: number, e: number) => kernels.embedding_columns_f32(at(y), at(a), at32, width, vocabulary, s, e),
    columnsDa: (s: number, e: number) =>
      kernels.embedding_columns_f32_da(at(da), at(dy), at32, rows, width, vocabulary, s, e),
  };
}

test("the f64 gradients of embeddings match finite differences", () => {
  const [table, dy, zeros] = [numbers(vocabulary * 3, 1), numbers(rows * 3, 2), new Float64Array(vocabulary * 3)];
  const byRows = embeddingDtable(zeros, dy, ids, 3);
  const byColumns = embeddingColumnsDa(zeros, dy, ids, 3, vocabulary);
  expectGradient((at) => embedding(at, ids, 3, 3).values, table, dy, byRows.values);
  expectGradient((at) => embeddingColumns(at, ids, 3, vocabulary).values, table, dy, byColumns.values);
});

for (const build of builds) {
  test(`embedding_f32 and embedding_columns_f32 (${build}) copy exactly, and their gradients match f64, for every tail`, () => {
    for (const width of around4) {
      const { bed, ldt, table, dtable, a, da, dy, y, gather, scatter, columns, columnsDa } = prepare(build, width);
      gather(0, rows);
      bed.check(y, embedding(table, ids, width, ldt), 0);
      columns(0, rows);
      bed.check(y, embeddingColumns(a, ids, width, vocabulary), 0);
      const want = embeddingDtable(dtable, dy, ids, width);
      scatter(0, width);
      bed.check(dtable, want, rows);
      const wantDa = embeddingColumnsDa(da, dy, ids, width, vocabulary);
      columnsDa(0, width);
      bed.check(da, wantDa, rows);
    }
  });

  test(`embedding_f16 and embedding_bf16 (${build}) widen every kind of number exactly, for every tail`, () => {
    // 1, -2, 65504, the smallest and the largest subnormal, -0, infinity; then 1, -2, 2^-126, a subnormal, -0, infinity.
    const halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x8000, 0x7c00];
    const wantHalves = [1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, -0, Number.POSITIVE_INFINITY];
    const bfloats = [0x3f80, 0xc000, 0x0080, 0x0001, 0x8000, 0x7f80];
    const wantBfloats = [1, -2, 2 ** -126, 2 ** -133, -0, Number.POSITIVE_INFINITY];
    for (const [kernel, words, numbers] of [
      ["embedding_f16", halves, wantHalves],
      ["embedding_bf16", bfloats, wantBfloats],
    ] as const) {
      for (const width of around4) {
        const bed = new Bed(build);
        const ldt = width + 1;
        const table = Array.from({ length: vocabulary * ldt }, (_, e) => (e * 5 + (e >> 3)) % words.length);
        const y = bed.empty(rows * width);
        const stored = bed.halves(table.map((i) => words[i]!));
        bed.kernels[kernel](y.byteOffset, stored.byteOffset, bed.ints(ids).byteOffset, width, ldt, 0, rows);
        const want = embedding(table, ids, width, ldt).values;
        expect(Array.from(y)).toEqual(Array.from(want, (i) => numbers[i]!));
        bed.checkGuards();
      }
    }
  });

  test(`embedding_int8 (${build}) is each row times its scale, rounded once, for every tail and range`, () => {
    for (const width of around4) {
      const ldt = width + 1;
      const prepareInt8 = () => {
        const bed = new Bed(build, width);
        const table = bed.int8(Array.from({ length: vocabulary * ldt }, (_, e) => ((e * 37) % 255) - 127));
        const scales = bed.random(vocabulary);
        const y = bed.empty(rows * width);
        const [at, to, from] = [bed.ints(ids).byteOffset, y.byteOffset, table.byteOffset];
        const run = (start: number, end: number) =>
          bed.kernels.embedding_int8(to, from, scales.byteOffset, at, width, ldt, start, end);
        return { bed, table, scales, y, run };
      };
      const { bed, table, scales, y, run } = prepareInt8();
      run(0, rows);
      expect(Array.from(y)).toEqual(Array.from(embeddingInt8(table, scales, ids, width, ldt).values, Math.fround));
      bed.checkGuards();
      checkRanges(rows, () => {
        const job = prepareInt8();
        return { run: job.run, outputs: [[job.y, (e) => Math.floor(e / width)]] };
      });
    }
  });

  test(`the embedding kernels (${build}) give the same bits in one call and in ranges`, () => {
    const width = 37;
    const byRow = (e: number) => Math.floor(e / width);
    for (const name of ["gather", "columns"] as const) {
      checkRanges(rows, () => {
        const job = prepare(build, width);
        return { run: job[name], outputs: [[job.y, byRow]] };
      });
    }
    checkRanges(width, () => {
      const { scatter, dtable } = prepare(build, width);
      return { run: scatter, outputs: [[dtable, (e) => e % width]] };
    });
    checkRanges(width, () => {
      const { columnsDa, da } = prepare(build, width);
      return { run: columnsDa, outputs: [[da, (e) => Math.floor(e / vocabulary)]] };
    });
  });
}
