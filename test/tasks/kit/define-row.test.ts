import { expect, test } from "vitest";
import { rowKinds } from "../../../src/data/known-tasks.ts";

test("each kind of row shows all its required keys in a shape, and reads none that it does not declare", () => {
  expect(rowKinds().length).toBeGreaterThan(8);
  for (const { kind, required, optional, shapes } of rowKinds()) {
    for (const key of required) expect(shapes.join(" "), kind).toContain(`"${key}"`);
    expect(
      required.filter((key) => optional.includes(key)),
      kind,
    ).toEqual([]);
  }
});
