import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { type AttentionShape, attendKept, attention } from "../../../src/ops/attention/attention.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { attention as attended } from "../../reference/attention.ts";
import { blockBytes, builds, expectGradients, Gym, leaf, measure } from "../gradients.ts";

const [heads, kvHeads, headDim] = [4, 2, 6];
const segments = [
  [0, 3, 0, 3],
  [3, 8, 3, 8],
] as const;
const lengths = segments.map(([from, to, start, end]) => [to - from, end - start] as const);
const shapes: readonly AttentionShape[] = [
  { heads, kvHeads, headDim, scale: 0.4, causal: true, window: 0 },
  { heads, kvHeads, headDim, scale: 0.4, causal: true, window: 2 },
  { heads, kvHeads, headDim, scale: 0.4, causal: false, window: 0 },
];
const place = (tape: Tape) => ({ ptr: tape.upload(Int32Array.from(segments.flat())), count: segments.length, lengths });
const whole = (value: Value) => ({ value, column: 0 });

for (const build of builds) {
  test.each(shapes)(
    `attention (${build}) agrees with f64 and has the gradients of q, k and v: causal $causal, window $window`,
    async (shape) => {
      using gym = await Gym.open(build);
      const q = gym.param("q", [8, heads * headDim]);
      const [k, v] = [gym.param("k", [8, kvHeads * headDim]), gym.param("v", [8, kvHeads * headDim])];
      const op = (tape: Tape) =>
        attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shape, place(tape));
      const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
      expectClose(
        "attention",
        y,
        attended({ ...shape, segments }, q.values(), k.values(), v.values()).o.values,
        2e-6,
        2e-6,
      );
      expectGradients(gym.engine, [q, k, v], op);
    },
  );

  test(`attention (${build}) takes queries, keys and values from the columns of one Value`, async () => {
    using gym = await Gym.open(build);
    const width = heads * headDim;
    const shape = { ...shapes[0]!, kvHeads: heads };
    const qkv = gym.param("qkv", [8, 3 * width]);
    const op = (tape: Tape) => {
      const value = leaf(tape, qkv);
      return attention(
        { value, column: 0 },
        { value, column: width },
        { value, column: 2 * width },
        shape,
        place(tape),
      );
    };
    const part = (p: number) => qkv.values().filter((_, i) => Math.floor((i % (3 * width)) / width) === p);
    const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    expectClose("attention", y, attended({ ...shape, segments }, part(0), part(1), part(2)).o.values, 2e-6, 2e-6);
    expectGradients(gym.engine, [qkv], op);
  });

  test(`attendKept (${build}) of the same keys and values gives the same bits`, async () => {
    using gym = await Gym.open(build);
    const q = gym.param("q", [8, heads * headDim]);
    const [k, v] = [gym.param("k", [8, kvHeads * headDim]), gym.param("v", [8, kvHeads * headDim])];
    const kept = (ptr: typeof k.ptr) => ({ ptr, width: kvHeads * headDim });
    const [own, cached] = Tape.once(gym.engine, {}, (tape) => [
      tape.download(
        attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shapes[0]!, place(tape)),
      ),
      tape.download(attendKept(whole(leaf(tape, q)), kept(k.ptr), kept(v.ptr), shapes[0]!, place(tape))),
    ]);
    expect(Array.from(cached!)).toEqual(Array.from(own!));
  });
}

/** Queries of one length against keys of another. */
const other: readonly (readonly [number, number, number, number])[] = [
  [0, 3, 4, 9],
  [3, 8, 0, 2],
];
const placeOther = (tape: Tape) => ({
  ptr: tape.upload(Int32Array.from(other.flat())),
  count: other.length,
  lengths: other.map(([from, to, start, end]) => [to - from, end - start] as const),
});

for (const build of builds) {
  test(`attention (${build}) to keys of another text (cross-attention) agrees with f64 and has all gradients`, async () => {
    using gym = await Gym.open(build);
    const shape = shapes[2]!;
    const q = gym.param("q", [8, heads * headDim]);
    const [k, v] = [gym.param("k", [9, kvHeads * headDim]), gym.param("v", [9, kvHeads * headDim])];
    const op = (tape: Tape) =>
      attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shape, placeOther(tape));
    const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    const want = attended({ ...shape, segments: other }, q.values(), k.values(), v.values()).o.values;
    expectClose("attention", y, want, 2e-6, 2e-6);
    expectGradients(gym.engine, [q, k, v], op);
  });

  test(`attention (${build}) to more keys than queries (a prefix) is causal from the last on, with all gradients`, async () => {
    using gym = await Gym.open(build);
    const prefixed = [
      [0, 3, 0, 5],
      [3, 8, 5, 12],
    ] as const;
    const shape = shapes[0]!;
    const q = gym.param("q", [8, heads * headDim]);
    const [k, v] = [gym.param("k", [12, kvHeads * headDim]), gym.param("v", [12, kvHeads * headDim])];
    const op = (tape: Tape) => {
      const ptr = tape.upload(Int32Array.from(prefixed.flat()));
      const where = { ptr, count: 2, lengths: prefixed.map(([a, b, c, d]) => [b - a, d - c] as const) };
      return attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shape, where);
    };
    const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    const want = attended({ ...shape, segments: prefixed }, q.values(), k.values(), v.values()).o.values;
    expectClose("attention", y, want, 2e-6, 2e-6);
    expectGradients(gym.engine, [q, k, v], op);
  });

  test.each([shapes[0]!, shapes[2]!])(
    `attention (${build}) adds a relative bias, whose table gets the gradients of all segments: causal $causal`,
    async (shape) => {
      using gym = await Gym.open(build);
      const reach = 6;
      const q = gym.param("q", [8, heads * headDim]);
      const [k, v] = [gym.param("k", [8, kvHeads * headDim]), gym.param("v", [8, kvHeads * headDim])];
      const table = gym.param("table", [heads, 2 * reach - 1]);
      const op = (tape: Tape) => {
        const bias = { table: leaf(tape, table), reach };
        return attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shape, place(tape), bias);
      };
      const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
      const biased = { ...shape, segments, bias: { table: table.values(), reach } };
      const want = attended(biased, q.values(), k.values(), v.values()).o.values;
      expectClose("attention", y, want, 2e-6, 2e-6);
      expectGradients(gym.engine, [q, k, v, table], op);
      for (const param of [q, k, v]) param.setTrainable(false);
      expectGradients(gym.engine, [table], op);
      table.setTrainable(false);
      q.setTrainable(true);
      expectGradients(gym.engine, [q], op);
    },
  );

  test.each([1, 2])(
    `attendKept (${build}) of the last %i queries has the biases of their true positions`,
    async (last) => {
      using gym = await Gym.open(build);
      const shape = { ...shapes[0]!, kvHeads: heads };
      const width = heads * headDim;
      const [q, k, v] = [gym.param("q", [5, width]), gym.param("k", [5, width]), gym.param("v", [5, width])];
      const table = gym.param("table", [heads, 9]);
      const run = (first: number) =>
        Tape.once(gym.engine, {}, (tape) => {
          const ptr = tape.upload(Int32Array.of(0, 5 - first, 0, 5));
          const where = { ptr, count: 1, lengths: [[5 - first, 5]] as const };
          const queries = tape.value([5 - first, width]);
          tape.copy(queries.ptr, (q.ptr + first * width * 4) as typeof q.ptr, (5 - first) * width * 4);
          const bias = { table: leaf(tape, table), reach: 5 };
          const y = attendKept(whole(queries), { ptr: k.ptr, width }, { ptr: v.ptr, width }, shape, where, bias);
          return tape.download(y);
        });
      expectClose("the last rows", run(5 - last), run(0).subarray((5 - last) * width), 2e-6, 2e-6);
    },
  );
}

test("attention refuses a bias that does not reach the ends of a segment, or has another table", async () => {
  using gym = await Gym.open("baseline");
  const q = gym.param("q", [8, heads * headDim]);
  const k = gym.param("k", [8, kvHeads * headDim]);
  const call = (reach: number, columns: number) => () =>
    Tape.plan(gym.engine, {}, (tape) => {
      const bias = { table: tape.value([heads, columns]), reach };
      attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, k)), shapes[0]!, place(tape), bias);
    });
  expect(call(5, 9)).not.toThrow();
  expect(call(4, 7)).toThrow(ShapeError);
  expect(call(4, 7)).toThrow("reaches 4 positions, but a segment has 5");
  expect(call(5, 8)).toThrow("[4, 8] must be [4, 9]");
});

test("attention whose keys and values need no gradient leaves none behind", async () => {
  using gym = await Gym.open("baseline");
  const q = gym.param("q", [8, heads * headDim]);
  const [k, v] = [gym.param("k", [8, kvHeads * headDim], false), gym.param("v", [8, kvHeads * headDim], false)];
  const op = (tape: Tape) =>
    attention(whole(leaf(tape, q)), whole(leaf(tape, k)), whole(leaf(tape, v)), shapes[0]!, place(tape));
  expectGradients(gym.engine, [q], op);
  const { left, uploaded } = measure(gym.engine, { recording: true }, (tape) =>
    tape.backward(
      tape.scope(() => op(tape)),
      1,
    ),
  );
  expect(left - uploaded).toBe(blockBytes(8 * heads * headDim * 4));
});
