import { expect, test } from "vitest";
import { streamRead } from "../reference/stream-read.ts";
import { Bed, builds } from "./bed.ts";

const ROWS = 5;

for (const build of builds) {
  test(`stream_read (${build}) reads every word of its rows and no other`, () => {
    for (const width of [16, 32, 48, 272]) {
      const bed = new Bed(build);
      const words = bed.ints(Array.from({ length: ROWS * width }, (_, i) => Math.imul(i + 1, 0x9e3779b1)));
      const out = bed.ints(new Int32Array(ROWS));
      const want = streamRead(words, width);
      bed.kernels.stream_read(out.byteOffset, words.byteOffset, width, 1, 3);
      expect([...out]).toEqual([0, want[1], want[2], 0, 0]);
      bed.kernels.stream_read(out.byteOffset, words.byteOffset, width, 0, ROWS);
      expect([...out]).toEqual(want);
      bed.checkGuards();
    }
  });
}
