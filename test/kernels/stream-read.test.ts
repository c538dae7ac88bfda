import { expect, test } from "vitest";
import { streamRead } from "../reference/stream-read.ts";
import { Bed, builds } from "./bed.ts";

const LINE = 16; // words

for (const build of builds) {
  test(`stream_read (${build}) reads every word of its lines and no other`, () => {
    for (const lines of [1, 2, 3, 17]) {
      const bed = new Bed(build);
      const words = bed.ints(Array.from({ length: lines * LINE }, (_, i) => Math.imul(i + 1, 0x9e3779b1)));
      const read = (start: number, end: number) => bed.kernels.stream_read(words.byteOffset, start, end);
      for (let start = 0; start <= lines; start++)
        for (let end = start; end <= lines; end++)
          expect(read(start, end)).toBe(streamRead(words.subarray(start * LINE, end * LINE)));
    }
  });
}
