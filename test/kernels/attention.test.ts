import { expect, test } from "vitest";
import type { AttentionShape } from "../reference/attention.ts";
import { attention, attentionGradient } from "../reference/attention.ts";
import { numbers } from "../reference/finite-differences.ts";
import { Bed, builds } from "./bed.ts";

type Segment = [number, number, number, number];

/** Segments one after the other, from row 1 of the queries and row 2 of the keys on, from pairs [queries, past]. */
function ragged(pairs: readonly (readonly [number, number])[]): Segment[] {
  let q = 1;
  let k = 2;
  return pairs.map(([queries, past]) => {
    const segment: Segment = [q, q + queries, k, k + queries + past];
    [q, k] = [segment[1], segment[3]];
    return segment;
  });
}

const lengths = ragged([
  [1, 0],
  [4, 0],
  [1, 70],
  [2, 3],
  [31, 0],
  [3, 0],
  [33, 7],
  [70, 0],
  [5, 64],
  [8, 1],
  [1, 0],
]);
const rules = [
  { causal: false, window: 0 },
  { causal: false, window: 3 },
  { causal: true, window: 0 },
  { causal: true, window: 1 },
  { causal: true, window: 3 },
  { causal: true, window: 5 },
];
const groups = [
  { heads: 4, kvHeads: 2 },
  { heads: 4, kvHeads: 1 },
  { heads: 4, kvHeads: 4 },
];
const base: AttentionShape = {
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  segments: lengths,
  scale: 0.3,
  causal: true,
  window: 0,
};

/** A row-major matrix in the bed's memory whose rows are followed by `gap` words that hold NaN. */
class Rows {
  readonly array: Float32Array;
  readonly width: number;
  readonly ld: number;

  constructor(array: Float32Array, width: number, ld: number) {
    this.array = array;
    this.width = width;
    this.ld = ld;
  }
  get at(): number {
    return this.array.byteOffset;
  }
  /** The values without the gaps, which must still hold NaN. */
  get values(): number[] {
    const inside = (_: number, i: number) => i % this.ld < this.width;
    expect(this.array.filter((x, i) => !inside(x, i)).every(Number.isNaN)).toBe(true);
    const values = Array.from(this.array.filter(inside));
    return values;
  }
}

/** All operands of one shape, one row longer than the segments need, and both kernels on a range of items. */
function prepare(build: string, shape: AttentionShape, size = 1, seed = 1) {
  const { heads, kvHeads, headDim, segments, scale, causal, window, bias } = shape;
  const bed = new Bed(build, seed);
  const queries = Math.max(...segments.map((s) => s[1])) + 1;
  const keys = Math.max(...segments.map((s) => s[3])) + 1;
  const matrix = (rows: number, width: number, gap: number, fill: (n: number) => Float32Array) => {
    const made = new Rows(bed.empty(rows * (width + gap)), width, width + gap);
    const source = fill(rows * width);
    for (let i = 0; i < rows; i++) made.array.set(source.subarray(i * width, (i + 1) * width), i * made.ld);
    return made;
  };
  const random = (n: number) => bed.random(n, size);
  const empty = (n: number) => bed.empty(n);
  const wide = heads * headDim;
  const narrow = kvHeads * headDim;
  const q = matrix(queries, wide, 1, random);
  const k = matrix(keys, narrow, 5, random);
  const v = matrix(keys, narrow, 2, random);
  const dO = matrix(queries, wide, 4, random);
  const o = matrix(queries, wide, 3, empty);
  const dq = matrix(queries, wide, 2, random);
  const dk = matrix(keys, narrow, 0, random);
  const dv = matrix(keys, narrow, 7, random);
  const lse = bed.empty(queries * heads);
  const at = bed.ints(segments.flat()).byteOffset;
  const workspaceBytes = bed.kernels.attention_workspace(headDim);
  const workspace = bed.scratch(workspaceBytes);
  new Uint8Array(bed.memory.buffer, workspace, workspaceBytes).fill(0xff); // NaN, which no read may find
  const sizes = [heads, kvHeads, headDim, q.ld, k.ld, v.ld, o.ld] as const;
  const table = bias ? bed.from(bias.table) : null;
  const dBias = bed.random(segments.length * (bias?.table.length ?? 0));
  const lookUp = bias ? ([table!.byteOffset, bias.reach - 1, 2 * bias.reach - 1] as const) : ([0, 0, 0] as const);
  const rule = [at, scale, causal ? 1 : 0, window, ...lookUp, workspace] as const;
  const items = segments.length * kvHeads;
  const forward = (start = 0, end = items, keep = lse.byteOffset) =>
    bed.kernels.attention_f32(o.at, keep, q.at, k.at, v.at, ...sizes, ...rule, start, end);
  const backward = (start = 0, end = items, slabs = bias ? dBias.byteOffset : 0) => {
    const inputs = [dO.at, q.at, k.at, v.at, o.at, lse.byteOffset] as const;
    const steps = [dq.ld, dk.ld, dv.ld, dO.ld] as const;
    bed.kernels.attention_f32_d(dq.at, dk.at, dv.at, slabs, ...inputs, ...sizes, ...steps, ...rule, start, end);
  };
  return { bed, q, k, v, dO, o, lse, dq, dk, dv, dBias, items, forward, backward };
}

/** Rounded terms on the way to any one output: a score, its softmax, the sum over keys or over queries of a group. */
function terms({ headDim, segments, heads, kvHeads }: AttentionShape): number {
  const longest = Math.max(...segments.map((s) => Math.max(s[3] - s[2], ((s[1] - s[0]) * heads) / kvHeads)));
  return headDim + longest + 8;
}

/** Checks rows of segments against the reference, and that rows of no segment hold NaN still. */
function checkForward(shape: AttentionShape, call: ReturnType<typeof prepare>): void {
  const want = attention(shape, call.q.values, call.k.values, call.v.values);
  for (const [got, reference] of [
    [call.o.values, want.o],
    [Array.from(call.lse), want.lse],
  ] as const) {
    const written = (_: unknown, i: number) => !Number.isNaN(reference.values[i]);
    expect(got.filter((x, i) => !written(x, i)).every(Number.isNaN)).toBe(true);
    const values = Array.from(reference.values).filter(written);
    const magnitudes = Array.from(reference.magnitudes).filter(written);
    call.bed.check(got.filter(written), { values, magnitudes }, terms(shape));
  }
}

function checkBackward(shape: AttentionShape, call: ReturnType<typeof prepare>): void {
  const all = () => ({ dq: call.dq.values, dk: call.dk.values, dv: call.dv.values, dBias: Array.from(call.dBias) });
  const before = all();
  call.backward();
  const want = attentionGradient(shape, call.dO.values, call.q.values, call.k.values, call.v.values);
  const after = all();
  for (const name of ["dq", "dk", "dv", "dBias"] as const) {
    const values = want[name].values.map((x, i) => x + before[name][i]!);
    const magnitudes = want[name].magnitudes.map((x, i) => x + Math.abs(before[name][i]!));
    call.bed.check(after[name], { values, magnitudes }, terms(shape));
  }
}

/** Both passes against f64. */
function checkBoth(build: string, shape: AttentionShape, size = 1): void {
  const call = prepare(build, shape, size);
  call.forward();
  checkForward(shape, call);
  checkBackward(shape, call);
}

/** A bias for each distance that these segments have, and no more. */
function biasFor({ heads, segments }: AttentionShape, seed = 1): { table: number[]; reach: number } {
  const reach = Math.max(...segments.map((s) => Math.max(s[1] - s[0], s[3] - s[2])));
  return { table: numbers(heads * (2 * reach - 1), seed).map((x) => 3 * x), reach };
}

test("the f64 gradient of attention agrees with finite differences", () => {
  for (const rule of rules) {
    const shape: AttentionShape = {
      ...base,
      ...rule,
      headDim: 3,
      segments: ragged([
        [3, 2],
        [1, 0],
        [4, 0],
      ]),
    };
    const bias = biasFor(shape);
    shape.bias = bias;
    const call = prepare(builds[0]!, shape);
    const inputs = { q: call.q.values, k: call.k.values, v: call.v.values };
    const dO = call.dO.values;
    const loss = () =>
      Array.from(attention(shape, inputs.q, inputs.k, inputs.v).o.values).reduce(
        (t, x, i) => t + (x ? x * dO[i]! : 0),
        0,
      );
    const gradient = attentionGradient(shape, dO, inputs.q, inputs.k, inputs.v);
    for (const name of ["q", "k", "v"] as const) {
      inputs[name].forEach((x, i) => {
        const at = (value: number) => {
          inputs[name][i] = value;
          return loss();
        };
        const slope = (at(x + 1e-4) - at(x - 1e-4)) / 2e-4;
        inputs[name][i] = x;
        expect(Math.abs(gradient[`d${name}`].values[i]! - slope)).toBeLessThan(1e-7);
      });
    }
    const ofSegments = gradient.dBias.values;
    bias.table.forEach((x, i) => {
      const at = (value: number) => {
        bias.table[i] = value;
        return loss();
      };
      const slope = (at(x + 1e-4) - at(x - 1e-4)) / 2e-4;
      bias.table[i] = x;
      const sum = ofSegments.reduce((t, v, e) => t + (e % bias.table.length === i ? v : 0), 0);
      expect(Math.abs(sum - slope)).toBeLessThan(1e-7);
    });
  }
});

for (const build of builds) {
  for (const headDim of [1, 4, 5, 8, 16, 33, 64]) {
    test(`attention of headDim ${headDim} and its gradient (${build}) match f64 on ragged segments and windows`, () => {
      rules.forEach((rule, n) => {
        checkBoth(build, { ...base, ...groups[(n + headDim) % 3], ...rule, headDim });
      });
    });
  }

  test.each([1, 5, 16])(
    `attention of headDim %i with a relative bias (${build}) matches f64, and so does the bias's gradient`,
    (headDim) => {
      rules.forEach((rule, n) => {
        const shape: AttentionShape = { ...base, ...groups[(n + headDim) % 3], ...rule, headDim };
        checkBoth(build, { ...shape, bias: biasFor(shape, n) });
      });
    },
  );

  test(`attention with a relative bias (${build}) matches f64 across tiles, with more queries than keys, and at T5's scale`, () => {
    const shape: AttentionShape = {
      ...base,
      ...{ heads: 2, kvHeads: 2, headDim: 6, scale: 1, causal: false },
      segments: ragged([[300, 140]]),
    };
    checkBoth(build, { ...shape, causal: true, bias: biasFor(shape) });
    shape.segments = [...shape.segments, [301, 310, 442, 445], [310, 312, 445, 446]];
    checkBoth(build, { ...shape, bias: biasFor(shape) });
  });

  test(`a frozen relative bias (${build}) gives q, k and v the same gradients as a trained one`, () => {
    const shape = { ...base, bias: biasFor(base) };
    const [trained, frozen] = [prepare(build, shape), prepare(build, shape)];
    const before = Array.from(frozen.dBias);
    for (const call of [trained, frozen]) call.forward();
    trained.backward();
    frozen.backward(0, frozen.items, 0);
    for (const name of ["dq", "dk", "dv"] as const) expect(frozen[name].values).toEqual(trained[name].values);
    expect(Array.from(frozen.dBias)).toEqual(before);
    frozen.bed.checkGuards();
  });

  test(`attention (${build}) reads keys of other rows than the queries', more or fewer, as in cross-attention`, () => {
    const segments: Segment[] = [
      [0, 5, 70, 79],
      [5, 6, 60, 70],
      [6, 46, 0, 7],
      [46, 50, 7, 60],
    ];
    for (const headDim of [5, 16]) checkBoth(build, { ...base, headDim, segments, causal: false });
  });

  test(`attention (${build}) matches f64 across tiles of keys and blocks of queries`, () => {
    const segments = ragged([
      [300, 140],
      [2, 300],
      [129, 0],
    ]);
    for (const rule of [
      { causal: false, window: 0 },
      { causal: true, window: 0 },
      { causal: true, window: 100 },
    ]) {
      checkBoth(build, { ...base, ...rule, heads: 2, kvHeads: 1, headDim: 6, segments });
    }
  });

  test(`attention (${build}) matches f64 for every length of a segment around a tile`, () => {
    for (let n = 1; n <= 70; n++) {
      const segments = ragged([[n, n % 3]]);
      checkBoth(build, { ...base, heads: 1, kvHeads: 1, headDim: 4, segments, causal: n % 2 === 0 });
    }
  });

  test(`attention (${build}) does not overflow on scores in the thousands`, () => {
    for (const causal of [true, false]) checkBoth(build, { ...base, causal }, 40);
  });

  test(`attention (${build}) gives o = 0, lse = -Infinity and no gradient where a query sees no key`, () => {
    const shape: AttentionShape = {
      ...base,
      segments: [
        [0, 6, 0, 2],
        [6, 8, 2, 3],
        [8, 10, 3, 3],
      ],
    };
    const call = prepare(build, shape);
    call.forward();
    const wide = shape.heads * shape.headDim;
    for (const row of [0, 1, 2, 3, 6, 8, 9]) {
      expect(call.o.values.slice(row * wide, (row + 1) * wide)).toEqual(new Array(wide).fill(0));
      expect(Array.from(call.lse.subarray(row * 4, row * 4 + 4))).toEqual(new Array(4).fill(-Infinity));
    }
    for (const row of [4, 5, 7]) expect(call.lse.subarray(row * 4, row * 4 + 4).every(Number.isFinite)).toBe(true);
    checkBackward(shape, call);
  });

  test(`attention (${build}) lets a NaN in one segment reach no other segment`, () => {
    const shape: AttentionShape = {
      ...base,
      segments: ragged([
        [5, 0],
        [6, 0],
        [7, 0],
      ]),
    };
    const clean = prepare(build, shape);
    const dirty = prepare(build, shape);
    clean.forward();
    clean.backward();
    for (const x of [dirty.q, dirty.k, dirty.v]) x.array[8 * x.ld] = Number.NaN;
    dirty.forward();
    dirty.backward();
    const wide = shape.heads * shape.headDim;
    for (const name of ["o", "dq"] as const) {
      const outside = (_: number, i: number) => i < 6 * wide || i >= 12 * wide;
      expect(dirty[name].values.filter(outside)).toEqual(clean[name].values.filter(outside));
    }
    expect(dirty.o.values.slice(8 * wide, 9 * wide).some(Number.isNaN)).toBe(true);
  });

  test(`attention (${build}) gives the same bits in one call and in ranges, with and without lse`, () => {
    for (const group of groups) {
      const shape: AttentionShape = { ...base, ...group };
      if (group.kvHeads > 1) shape.bias = biasFor(shape);
      const whole = prepare(build, shape);
      const parts = prepare(build, shape);
      whole.forward();
      whole.backward();
      const cuts = [0, 3, 4, 9, parts.items];
      for (let c = cuts.length - 1; c > 0; c--) parts.forward(cuts[c - 1], cuts[c]);
      for (let c = cuts.length - 1; c > 0; c--) parts.backward(cuts[c - 1], cuts[c]);
      for (const name of ["o", "dq", "dk", "dv"] as const) expect(parts[name].values).toEqual(whole[name].values);
      expect(parts.lse).toEqual(whole.lse);
      expect(parts.dBias).toEqual(whole.dBias);
      whole.lse.fill(7);
      whole.forward(0, whole.items, 0);
      expect(whole.lse.every((x) => x === 7)).toBe(true);
      expect(whole.o.values).toEqual(parts.o.values);
    }
  });

  test(`attention (${build}) of a part of the range writes only that part`, () => {
    const shape: AttentionShape = {
      ...base,
      segments: ragged([
        [5, 0],
        [6, 0],
        [1, 9],
      ]),
    };
    const call = prepare(build, shape);
    call.forward();
    const o = call.o.values;
    const before = { o: call.o.array.slice(), dq: call.dq.values, dk: call.dk.values };
    call.o.array.fill(Number.NaN);
    call.forward(2, 3); // second segment, first key-value head: query rows 6 to 11, heads 0 and 1
    call.backward(2, 3);
    const wide = shape.heads * shape.headDim;
    call.o.values.forEach((x, i) => {
      const inside = i >= 6 * wide && i < 12 * wide && i % wide < 2 * shape.headDim;
      expect(x).toBe(inside ? o[i] : Number.NaN);
      if (!inside) expect(call.dq.values[i]).toBe(before.dq[i]);
    });
    const narrow = shape.kvHeads * shape.headDim;
    call.dk.values.forEach((x, i) => {
      if (i < 7 * narrow || i >= 13 * narrow || i % narrow >= shape.headDim) expect(x).toBe(before.dk[i]);
    });
  });
}
