import { expect, test } from "vitest";
import { addEmbeddingDelta, embedding, gatherRows, type Ids } from "../../../src/ops/embed/embedding.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const [vocabulary, width, r] = [9, 5, 2];
// Repeated ids: their gradients meet in one row.
const tokens = [3, 0, 8, 3, 3, 5];
const place = (tape: Tape, ids = tokens): Ids => ({ tape, ptr: tape.upload(Int32Array.from(ids)), count: ids.length });
const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
const rowsOf = (values: Float32Array) =>
  tokens.flatMap((id) => Array.from(values.subarray(id * width, (id + 1) * width)));

for (const build of builds) {
  test(`embedding (${build}) picks rows of a table of any dtype; a trained table gets the gradients of its rows`, async () => {
    using gym = await Gym.open(build);
    for (const dtype of ["f32", "f16", "bf16"] as const) {
      const table = gym.frozen("table", [vocabulary, width], dtype);
      const picked = run(gym, (tape) => embedding(place(tape), table));
      expect(Array.from(picked)).toEqual(rowsOf(readElements(gym.engine.memory, table)));
    }
    const table = gym.param("table", [vocabulary, width]);
    expectGradients(gym.engine, [table], (tape) => embedding(place(tape), table));
  });

  test(`addEmbeddingDelta (${build}) is y + s·aᵀ[ids]·bᵀ, with the gradients of y, a and b, together or alone`, async () => {
    using gym = await Gym.open(build);
    const y = gym.param("y", [tokens.length, width]);
    const [a, b] = [gym.param("a", [r, vocabulary]), gym.param("b", [width, r])];
    const op = (tape: Tape) => addEmbeddingDelta(leaf(tape, y), place(tape), a, b, 0.75);
    const want = y.values().map((v, e) => {
      const [id, column] = [tokens[Math.floor(e / width)]!, e % width];
      let change = 0;
      for (let k = 0; k < r; k++) change += a.values()[k * vocabulary + id]! * b.values()[column * r + k]!;
      return v + 0.75 * change;
    });
    expectClose("addEmbeddingDelta", run(gym, op), want, 1e-6, 1e-6);
    expectGradients(gym.engine, [y, a, b], op);
    for (const alone of [y, a, b]) {
      for (const part of [y, a, b]) part.setTrainable(part === alone);
      expectGradients(gym.engine, [alone], op);
    }
  });

  test(`gatherRows (${build}) picks rows, and a row picked twice gets both gradients`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [vocabulary, width]);
    const op = (tape: Tape) => gatherRows(leaf(tape, x), place(tape));
    expect(Array.from(run(gym, op))).toEqual(rowsOf(x.values()));
    expectGradients(gym.engine, [x], op);
  });
}
