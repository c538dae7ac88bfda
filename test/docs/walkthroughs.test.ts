/** The pages that walk through an addition show the code that is really there. */
import { expect, test } from "vitest";
import { read } from "../house/source.ts";
import { blocksOf } from "./page-program.ts";

/** Where a block's file is, when it is one of the additions that the house test makes. */
const added = /^src\/(methods\/toy_shift|models\/toynet|tasks\/toy_volume)\.ts$/;

test.each(["add-a-method", "add-a-model", "add-a-task", "add-a-kernel"])(
  "docs/extend/%s.md shows real code",
  (page) => {
    const shown = blocksOf(read(`docs/extend/${page}.md`)).flatMap(({ code }) => {
      const [first, ...rest] = code.split("\n");
      const file = /^\/\/ ((?:src|assembly|test)\/[\w/-]+\.ts)/.exec(first!)?.[1];
      return file === undefined || file.startsWith("test/methods/") ? [] : [{ file, code: rest.join("\n").trim() }];
    });
    expect(shown.length).toBeGreaterThan(0);
    for (const { file, code } of shown) {
      const where = added.test(file) ? file.replace("src/", "test/house/additions/") : file;
      expect(read(where), `${page}: ${file}`).toContain(code);
    }
  },
);
