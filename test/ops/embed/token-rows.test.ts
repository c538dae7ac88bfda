import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { replaceColumns, replaceTokenRows } from "../../../src/ops/embed/token-rows.ts";
import { distanceToIdentity } from "../../../src/ops/linear/distance-to-identity.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
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

  test(`distanceToIdentity (${build}) is the Frobenius norm of x − I; at I its gradient is zero, not NaN`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 4]);
    const op = (tape: Tape) => distanceToIdentity(leaf(tape, x));
    const want = Math.hypot(...Array.from(x.values(), (value, i) => value - (i % 5 === 0 ? 1 : 0)));
    expectClose(
      "distance",
      Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))),
      [want],
      0,
      1e-6,
    );
    expectGradients(gym.engine, [x], op);
    x.values().set(Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)));
    x.gradient().fill(0);
    Tape.once(gym.engine, { recording: true }, (tape) => tape.backward(op(tape), 1));
    expect(Array.from(x.gradient())).toEqual(new Array(16).fill(0));
    const wide = gym.param("wide", [2, 3]);
    expect(() => Tape.once(gym.engine, {}, (tape) => distanceToIdentity(leaf(tape, wide)))).toThrow(ShapeError);
  });
}
