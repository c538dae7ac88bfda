import { expect, test } from "vitest";
import { intoRows } from "../reference/rows.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

function prepare(build: string, rows: number, cols: number, [ldy, ldx]: [number, number]) {
  const bed = new Bed(build, cols);
  const [y, x] = [bed.random(rows * ldy), bed.random(rows * ldx)];
  const call = (kernel: "copy_rows_f32" | "add_rows_f32") => (start: number, end: number) =>
    bed.kernels[kernel](y.byteOffset, x.byteOffset, cols, ldy, ldx, start, end);
  return { bed, y, x, copy: call("copy_rows_f32"), add: call("add_rows_f32") };
}

for (const build of builds) {
  test(`copy_rows_f32 and add_rows_f32 (${build}) touch their columns alone, for every tail`, () => {
    for (const cols of around4) {
      const [rows, ldy, ldx] = [3, cols + 2, cols + 5];
      const { bed, y, x, copy, add } = prepare(build, rows, cols, [ldy, ldx]);
      const copied = intoRows(y, x, { rows, cols, ldy, ldx, add: false });
      copy(0, rows);
      expect(Array.from(y)).toEqual(copied);
      x.forEach((v, i) => {
        x[i] = v * v;
      });
      const sums = Float32Array.from(intoRows(y, x, { rows, cols, ldy, ldx, add: true }));
      add(0, rows);
      expect(Array.from(y)).toEqual(Array.from(sums));
      bed.checkGuards();
    }
  });

  test.each(["copy", "add"] as const)(
    `%s_rows_f32 (${build}) gives the same bits in one call and in ranges`,
    (name) => {
      checkRanges(7, () => {
        const job = prepare(build, 7, 5, [8, 6]);
        return { run: job[name], outputs: [[job.y, (e) => Math.floor(e / 8)]] };
      });
    },
  );
}
