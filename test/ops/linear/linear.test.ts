import { describe, expect, test } from "vitest";
import { addLowRank, type LowRank, linear, type Stored } from "../../../src/ops/linear/linear.ts";
import { FEW_ROWS } from "../../../src/ops/linear/multiply.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { allocateFrozen, frozenWriter } from "../../../src/tensor/frozen.ts";
import type { Param, Weight } from "../../../src/tensor/tensor.ts";
import { expectClose } from "../../golden-files.ts";
import { blockBytes, builds, expectGradients, Gym, leaf, measure } from "../gradients.ts";

const [width, out, r] = [6, 5, 2];
const stores: readonly Stored[] = ["out-in", "in-out"];
const shapeOf = (stored: Stored) => (stored === "out-in" ? [out, width] : [width, out]);

/** x·Wᵀ + bias + Σ s·(x·aᵀ)·bᵀ in f64. */
function reference(
  gym: Gym,
  x: ArrayLike<number>,
  weight: Weight,
  stored: Stored,
  bias: Weight | null,
  deltas: readonly { a: Param; b: Param; scale: number }[] = [],
): number[] {
  const w = readElements(gym.engine.memory, weight);
  const added = bias && readElements(gym.engine.memory, bias);
  return Array.from({ length: (x.length / width) * out }, (_, e) => {
    const [row, j] = [Math.floor(e / out), e % out];
    let sum = added?.[j] ?? 0;
    for (let i = 0; i < width; i++) {
      let factor = w[stored === "out-in" ? j * width + i : i * out + j]!;
      for (const { a, b, scale } of deltas) {
        for (let k = 0; k < a.shape[0]!; k++)
          factor += scale * b.values()[j * a.shape[0]! + k]! * a.values()[k * width + i]!;
      }
      sum += x[row * width + i]! * factor;
    }
    return sum;
  });
}

const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));

for (const build of builds) {
  describe(build, () => {
    for (const stored of stores) {
      // One row, the last count that reads the weight straight, the first that packs panels, and more than a tile.
      test.each([1, FEW_ROWS, FEW_ROWS + 1, 13])(
        `linear stored ${stored}, %i rows: y and the gradients of x, W, bias, A and B`,
        async (rows) => {
          using gym = await Gym.open(build);
          const [x, w, bias] = [
            gym.param("x", [rows, width]),
            gym.param("w", shapeOf(stored)),
            gym.param("bias", [out]),
          ];
          const [a, b] = [gym.param("a", [r, width]), gym.param("b", [out, r])];
          const [a2, b2] = [gym.param("a2", [r + 1, width]), gym.param("b2", [out, r + 1])];
          const op = (tape: Tape) => {
            const input = leaf(tape, x);
            return linear(input, w, stored, bias, [
              { input, a, b, scale: 0.75 },
              { input, a: a2, b: b2, scale: -1.5 },
            ]);
          };
          const deltas = [
            { a, b, scale: 0.75 },
            { a: a2, b: b2, scale: -1.5 },
          ];
          expectClose("linear", run(gym, op), reference(gym, x.values(), w, stored, bias, deltas), 2e-6, 2e-6);
          expectGradients(gym.engine, [x, w, bias, a, b, a2, b2], op);
        },
      );

      test.each(["f32", "f16", "bf16"] as const)(
        `linear stored ${stored}, frozen in %s: y and the gradients of x, A and B`,
        async (dtype) => {
          using gym = await Gym.open(build);
          const [w, bias] = [gym.frozen("w", shapeOf(stored), dtype), gym.frozen("bias", [out])];
          for (const rows of [2, 7]) {
            const [x, a, b] = [gym.param("x", [rows, width]), gym.param("a", [r, width]), gym.param("b", [out, r])];
            const plain = (tape: Tape) => linear(leaf(tape, x), w, stored, bias);
            expectClose("linear", run(gym, plain), reference(gym, x.values(), w, stored, bias), 2e-6, 2e-6);
            expectGradients(gym.engine, [x], plain);
            expectGradients(gym.engine, [x, a, b], (tape) => {
              const input = leaf(tape, x);
              return linear(input, w, stored, bias, [{ input, a, b, scale: 0.75 }]);
            });
          }
        },
      );
    }

    test("a delta that reads another input, as after dropout, sends its gradient there", async () => {
      using gym = await Gym.open(build);
      const [x, z] = [gym.param("x", [7, width]), gym.param("z", [7, width])];
      const [w, a, b] = [gym.frozen("w", [out, width]), gym.param("a", [r, width]), gym.param("b", [out, r])];
      const [a2, b2] = [gym.param("a2", [r, width]), gym.param("b2", [out, r])];
      expectGradients(gym.engine, [x, z, a, b, a2, b2], (tape) => {
        const [input, other] = [leaf(tape, x), leaf(tape, z)];
        return linear(input, w, "out-in", null, [
          { input: other, a, b, scale: 0.75 },
          { input, a: a2, b: b2, scale: 2 },
        ]);
      });
    });

    test("two linears that share an input add their gradients", async () => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [7, width]);
      const [w, a, b] = [gym.frozen("w", [width, width]), gym.param("a", [r, width]), gym.param("b", [width, r])];
      expectGradients(gym.engine, [x, a, b], (tape) => {
        const input = leaf(tape, x);
        const delta: LowRank = { input, a, b, scale: 0.75 };
        const once = linear(input, w, "out-in", null, [delta]);
        return addLowRank(linear(once, w, "in-out", null), [delta]);
      });
    });

    test("addLowRank adds every term to y, with the gradients of y, A and B", async () => {
      using gym = await Gym.open(build);
      const [x, y] = [gym.param("x", [5, width]), gym.param("y", [5, out])];
      const deltas = [1, 2].map((scale) => ({ a: gym.param("a", [r, width]), b: gym.param("b", [out, r]), scale }));
      const zero = gym.frozen("zero", [out, width]);
      gym.engine.memory.f32(zero.ptr, out * width).fill(0);
      const op = (tape: Tape) => {
        const input = leaf(tape, x);
        return addLowRank(
          leaf(tape, y),
          deltas.map((delta) => ({ input, ...delta })),
        );
      };
      const change = reference(gym, x.values(), zero, "out-in", null, deltas);
      expectClose(
        "addLowRank",
        run(gym, op),
        y.values().map((v, i) => v + change[i]!),
        2e-6,
        2e-6,
      );
      expectGradients(gym.engine, [x, y, ...deltas.flatMap(({ a, b }) => [a, b])], op);
    });

    test("only what is trained gets a gradient: A alone, B alone, W alone, bias alone", async () => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [7, width], false);
      const parts = [
        gym.param("w", [out, width]),
        gym.param("bias", [out]),
        gym.param("a", [r, width]),
        gym.param("b", [out, r]),
      ] as const;
      const [w, bias, a, b] = parts;
      for (const alone of parts) {
        for (const part of parts) part.setTrainable(part === alone);
        expectGradients(gym.engine, [alone], (tape) => {
          const input = leaf(tape, x);
          return linear(input, w, "out-in", bias, [{ input, a, b, scale: 0.75 }]);
        });
      }
    });
  });
}

test("a frozen linear without a delta keeps nothing: a chain of them needs no more memory recorded than not", async () => {
  using gym = await Gym.open("baseline");
  const w = gym.frozen("w", [64, 64]);
  const x = gym.param("x", [32, 64]);
  const chain = (length: number) => (tape: Tape) => {
    let y = leaf(tape, x);
    for (let i = 0; i < length; i++) {
      const input = y;
      y = tape.scope(() => linear(input, w, "out-in", null));
    }
  };
  const inScopes = (length: number) => (tape: Tape) => {
    tape.scope(() => {
      let y = leaf(tape, x);
      for (let i = 0; i < length; i++) {
        const input = y;
        // The scope outside owns `input`, so each step of the chain is a scope in a scope.
        y = tape.scope(() => tape.scope(() => linear(input, w, "out-in", null)));
      }
      return y;
    });
  };
  for (const step of [chain(5), inScopes(5)]) {
    expect(Tape.plan(gym.engine, { recording: true }, step)).toBe(Tape.plan(gym.engine, {}, step));
  }
});

test("a linear with a delta keeps its input for A and t for B, and neither where it is not trained", async () => {
  using gym = await Gym.open("baseline");
  const [rows, wide] = [32, 64];
  const w = gym.frozen("w", [wide, wide]);
  const [x, a, b] = [gym.param("x", [rows, wide]), gym.param("a", [4, wide]), gym.param("b", [wide, 4])];
  const left = () =>
    measure(gym.engine, { recording: true }, (tape) => {
      tape.scope(() => {
        const input = leaf(tape, x);
        return linear(input, w, "out-in", null, [{ input, a, b, scale: 1 }]);
      });
    }).left;
  const [input, t, y] = [rows * wide * 4, rows * 4 * 4, rows * wide * 4].map(blockBytes) as [number, number, number];
  expect(left()).toBe(input + t + y);
  a.setTrainable(false);
  expect(left()).toBe(t + y);
  b.setTrainable(false);
  expect(left()).toBe(y);
});

test("linear names the weight whose width does not fit", async () => {
  using gym = await Gym.open("baseline");
  const [x, w, a, b] = [
    gym.param("x", [3, 7]),
    gym.frozen("q_proj.weight", [5, 6]),
    gym.param("lora_A", [2, 6]),
    gym.param("b", [5, 2]),
  ];
  expect(() => Tape.plan(gym.engine, {}, (tape) => linear(leaf(tape, x), w, "out-in", null))).toThrow(
    'input of "q_proj.weight": last axis of [3, 7] must be 6',
  );
  expect(() =>
    Tape.plan(gym.engine, {}, (tape) => addLowRank(leaf(tape, x), [{ input: leaf(tape, x), a, b, scale: 1 }])),
  ).toThrow('input of "lora_A": last axis of [3, 7] must be 6');
});

const dtypes = ["f32", "bf16", "f16", "int8", "nf4"] as const;
const rowCounts = [1, 2, 3, FEW_ROWS, FEW_ROWS + 1, 13];

/** A frozen [96, 160] or [160, 96] with numbers of a Param. */
function wide(gym: Gym, stored: Stored, dtype: (typeof dtypes)[number]) {
  const shape = stored === "out-in" ? [96, 160] : [160, 96];
  const weight = allocateFrozen(gym.engine.memory, "w", shape, dtype, stored === "in-out");
  const writer = frozenWriter(gym.engine, weight);
  const values = gym.param("values", shape).values().slice();
  for (let pass = 0; pass < writer.passes; pass++) writer.write(values, 0, pass);
  writer.finish();
  return weight;
}

describe.each(stores)("a weight stored %s", (stored) => {
  test.each(dtypes)("in %s takes the memory that a plan found, for every number of rows", async (dtype) => {
    using gym = await Gym.open("baseline");
    const weight = wide(gym, stored, dtype);
    const [a, b] = [gym.param("a", [r, 160]), gym.param("b", [96, r])];
    for (const rows of rowCounts) {
      const x = gym.param("x", [rows, 160]);
      for (const deltas of [false, true]) {
        const step = (tape: Tape) => {
          const input = leaf(tape, x);
          const y = linear(input, weight, stored, null, deltas ? [{ input, a, b, scale: 0.75 }] : []);
          tape.backward(y, 1);
        };
        const { planned, peak } = measure(gym.engine, { recording: true }, step);
        expect(peak, `${rows} rows`).toBe(planned);
      }
    }
  });

  test.each(["bf16", "f16"] as const)("in %s gives the bits of the same numbers in f32", async (dtype) => {
    for (const build of builds) {
      using gym = await Gym.open(build);
      const narrow = wide(gym, stored, dtype);
      const same = gym.frozen("same", narrow.shape);
      gym.engine.memory.f32(same.ptr, 96 * 160).set(readElements(gym.engine.memory, narrow));
      const [a, b] = [gym.param("a", [r, 160]), gym.param("b", [96, r])];
      for (const rows of rowCounts) {
        const x = gym.param("x", [rows, 160]);
        const [found, expected] = [narrow, same].map((weight) => {
          x.gradient().fill(0);
          const y = Tape.once(gym.engine, { recording: true }, (tape) => {
            const input = leaf(tape, x);
            const y = linear(input, weight, stored, null, [{ input, a, b, scale: 0.75 }]);
            const numbers = tape.download(y);
            tape.backward(y, 1);
            return numbers;
          });
          return { y, dx: x.gradient().slice() };
        });
        expect(found, `${build}, ${rows} rows`).toEqual(expected);
      }
    }
  });
});

test("an int8 product cannot overflow: the largest numbers, all of one sign, give the exact sum for every inner width", async () => {
  using gym = await Gym.open("baseline");
  for (const inner of [1, 1023, 1024, 1025, 2048, 9000])
    for (const rows of [1, FEW_ROWS + 1])
      for (const sign of [-1, 1]) {
        const weight = allocateFrozen(gym.engine.memory, "w", [3, inner], "int8", false);
        frozenWriter(gym.engine, weight).write(new Float32Array(3 * inner).fill(sign * 127), 0, 0);
        const x = gym.param("x", [rows, inner], false);
        x.values().fill(1);
        const y = run(gym, (tape) => linear(leaf(tape, x), weight, "out-in", null));
        for (const value of y) expect(Math.abs(value / (sign * 127 * inner) - 1)).toBeLessThan(2 ** -20);
      }
});
