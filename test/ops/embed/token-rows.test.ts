import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { replaceColumns, replaceTokenRows } from "../../../src/ops/embed/token-rows.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`replaceTokenRows (${build}) puts a token's own row wherever it stands, with gradients to rows and table`, async () => {
    using gym = await Gym.open(build);
    const [y, rows] = [gym.param("y", [5, 3]), gym.param("rows", [2, 3])];
    const ids = Int32Array.of(4, 9, 7, 4, 0);
    const tokens = [7, 4]; // the second twice, others not at all
    const op = (tape: Tape) => replaceTokenRows(leaf(tape, y), { tape, ptr: tape.upload(ids), count: 5 }, tokens, rows);
    const [own, new7, new4] = [y.values(), rows.values().subarray(0, 3), rows.values().subarray(3)];
    const want = [...new4, ...own.subarray(3, 6), ...new7, ...new4, ...own.subarray(12)];
    expect(Array.from(Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))))).toEqual(want);
    expectGradients(gym.engine, [y, rows], op);
    rows.setTrainable(false);
    expectGradients(gym.engine, [y], op);
    expect(() =>
      Tape.once(gym.engine, {}, (tape) => replaceTokenRows(leaf(tape, y), { tape, ptr: y.ptr, count: 5 }, [7], rows)),
    ).toThrow(ShapeError);
  });

  test(`replaceColumns (${build}) puts columns in their places, with gradients to both`, async () => {
    using gym = await Gym.open(build);
    const [y, z] = [gym.param("y", [3, 5]), gym.param("z", [3, 2])];
    const op = (tape: Tape) => replaceColumns(leaf(tape, y), [3, 0], leaf(tape, z));
    const want = y.values().map((value, i) => {
      const [row, column] = [Math.floor(i / 5), i % 5];
      return column === 3 ? z.values()[2 * row]! : column === 0 ? z.values()[2 * row + 1]! : value;
    });
    expect(Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)))).toEqual(want);
    expectGradients(gym.engine, [y, z], op);
    z.setTrainable(false);
    expectGradients(gym.engine, [y], op);
    expect(() => Tape.once(gym.engine, {}, (tape) => replaceColumns(leaf(tape, y), [3], leaf(tape, z)))).toThrow(
      ShapeError,
    );
  });
}
