import { describe, expect, test } from "vitest";
import {
  COMBINATIONS,
  type Combination,
  type CombineOptions,
  changeOf,
  combineFactors,
  combineTensors,
  lowRankOf,
  type Part,
} from "../../../src/adapt/derive/combine.ts";
import type { Factors } from "../../../src/adapt/method/factors.ts";
import { matrix, svd } from "../../../src/core/linalg.ts";
import { Philox } from "../../../src/core/random/philox.ts";

const [OUT, IN] = [4, 5];
const noRandom = () => {
  throw new Error("nothing random here");
};

/** Adapter i of the recorded runs: α over r is the scale. */
function recorded(i: number, r: number, alpha: number): Factors {
  const a = Float32Array.from({ length: r * IN }, (_, j) => Math.sin(1 + 3.7 * j + 0.31 * j * j + 2 * i));
  const b = Float32Array.from({ length: OUT * r }, (_, j) => Math.sin(2 + 2.9 * j + 0.47 * j * j + 5 * i));
  return { a, b, r, inFeatures: IN, outFeatures: OUT, scale: alpha / r };
}
const equalRanks: Part[] = [
  { factors: recorded(0, 2, 5), weight: 0.7 },
  { factors: recorded(1, 2, 3), weight: -1.3 },
  { factors: recorded(2, 2, 4), weight: 0.4 },
];
const unequalRanks: Part[] = [
  { factors: recorded(0, 2, 5), weight: 0.5 },
  { factors: recorded(1, 3, 4), weight: 2 },
];

function random(seed: number, r: number, outFeatures: number, inFeatures: number, scale: number): Factors {
  const draw = new Philox(seed);
  const normal = (length: number) => Float32Array.from({ length }, () => draw.normal());
  return { a: normal(r * inFeatures), b: normal(outFeatures * r), r, inFeatures, outFeatures, scale };
}

function combine(parts: readonly Part[], options: Omit<CombineOptions, "random">): Factors {
  return combineFactors(parts, { random: noRandom, ...options });
}

function distance(x: ArrayLike<number>, y: ArrayLike<number>): number {
  expect(x.length).toBe(y.length);
  return Array.from(x).reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!)), 0);
}

/** Σ wᵢ·sᵢ·Bᵢ·Aᵢ in double precision, with the sum over ranks outermost. */
function exactSum(parts: readonly Part[]): Float64Array {
  const { inFeatures, outFeatures } = parts[0]!.factors;
  const sum = new Float64Array(outFeatures * inFeatures);
  for (const { factors, weight } of parts) {
    for (let k = 0; k < factors.r; k++) {
      for (let at = 0; at < sum.length; at++) {
        const [o, i] = [Math.floor(at / inFeatures), at % inFeatures];
        sum[at]! += weight * factors.scale * factors.b[o * factors.r + k]! * factors.a[k * inFeatures + i]!;
      }
    }
  }
  return sum;
}

describe("the change of the layer is the one that PEFT 0.21.0 records", () => {
  const runs: readonly [string, readonly Part[], Omit<CombineOptions, "random">, number, readonly number[]][] = [
    // biome-ignore format: one row of the layer a line
    ["linear", equalRanks, { combination: "linear" }, 2, [
      -3.930362, -7.086074, 3.855815, 6.940218, -1.103944,
      4.324261, 1.503956, 1.20498, 0.148484, 7.307525,
      4.065969, 0.495855, 1.927949, 1.275615, 7.760218,
      1.080358, 3.551057, -2.447819, -3.891118, -1.249035]],
    // biome-ignore format: one row of the layer a line
    ["cat", equalRanks, { combination: "cat" }, 6, [
      -0.966266, -4.193069, 2.018987, 3.162414, 0.746086,
      1.326701, 1.367294, 0.459656, 0.182019, 2.48219,
      2.647014, -0.357471, 0.926998, 0.57128, 4.58141,
      -0.184864, 2.468456, -2.123655, -1.224824, -2.268802]],
    // biome-ignore format: one row of the layer a line
    ["svd", equalRanks, { combination: "svd" }, 2, [
      -1.015206, -4.330617, 2.205364, 2.775021, 0.770288,
      1.596423, 0.891271, 0.216156, -0.260832, 2.45399,
      2.416846, -0.110307, 1.235788, 0.616951, 4.61903,
      -0.383205, 2.408611, -1.68431, -1.755385, -2.213131]],
    // biome-ignore format: one row of the layer a line
    ["ties", equalRanks, { combination: "ties", density: 0.5 }, 2, [
      -2.215041, -2.944304, 2.259723, 2.358633, 0.054501,
      0.596372, 0.500614, -0.81659, 0.25292, 2.858665,
      0.524387, 0.358668, -0.776124, 0.4702, 3.315496,
      2.571925, 3.395807, -2.640112, -2.669106, 0.161764]],
    // biome-ignore format: one row of the layer a line
    ["ties by frequency", equalRanks, { combination: "ties", density: 0.8, majoritySign: "frequency" }, 2, [
      -0.051235, -0.898951, -0.39535, 2.275901, -0.123569,
      2.25382, 0.329719, 1.217083, -0.345864, 0.760983,
      2.238436, 0.189733, 1.151966, 0.006923, 0.73937,
      2.175014, 0.525543, 1.26005, -0.861317, 0.759094]],
    // biome-ignore format: one row of the layer a line
    ["ties_svd", equalRanks, { combination: "ties_svd", density: 0.5 }, 2, [
      -0.274573, -1.695432, 1.201163, 2.588777, 0.667044,
      0.251663, -0.446834, 0.310736, -0.1747, 0.303351,
      0.382509, -1.557674, 1.09214, 0.699607, 0.862716,
      -0.878561, 1.69428, -1.179594, 0.462258, -1.120436]],
    // biome-ignore format: one row of the layer a line
    ["magnitude_prune", equalRanks, { combination: "magnitude_prune", density: 0.6 }, 2, [
      -2.20933, -2.912149, 1.884824, 3.639994, -1.055862,
      3.290929, 0.003286, 2.931689, 1.827667, 4.618267,
      3.380708, 1.098909, 1.561099, 0.04521, 3.974522,
      0.86297, 1.687593, -1.46459, -2.341851, 0.025915]],
    // biome-ignore format: one row of the layer a line
    ["magnitude_prune_svd", equalRanks, { combination: "magnitude_prune_svd", density: 0.6, rank: 3 }, 3, [
      -1.130444, -4.15728, 2.188328, 2.265697, 1.417628,
      0.655884, -0.020334, 0.443798, -0.019072, 2.559743,
      2.482805, -0.491424, 1.121224, 0.642646, 4.580388,
      -0.450392, 1.814879, -1.200567, -1.16261, -1.770207]],
    // biome-ignore format: one row of the layer a line
    ["dare_ties_svd that keeps all", equalRanks, { combination: "dare_ties_svd", density: 1 }, 2, [
      -0.073614, -1.261044, 0.655224, 0.437666, 0.421933,
      0.515386, 0.35121, 0.034749, 0.167308, 0.713184,
      0.491028, -0.251585, 0.352708, 0.382847, 0.933052,
      0.019569, 1.726226, -0.93257, -0.646566, -0.713877]],
    // biome-ignore format: one row of the layer a line
    ["cat of unequal ranks", unequalRanks, { combination: "cat" }, 5, [
      4.320028, 0.950329, -2.772636, -2.328579, 3.151456,
      1.421927, -1.298197, -4.476224, 0.044566, -2.274452,
      -0.89566, -1.219301, 1.960715, 1.713447, 0.663849,
      0.736797, -0.742231, -4.644926, -0.2585, -3.341998]],
    // biome-ignore format: one row of the layer a line
    ["svd of unequal ranks", unequalRanks, { combination: "svd", rank: 2 }, 2, [
      4.220715, 1.194791, -2.750604, -2.542739, 3.033827,
      1.195838, -0.698155, -4.435935, -0.411624, -2.542042,
      -1.36188, -0.053134, 2.059936, 0.721445, 0.111734,
      0.804655, -0.942542, -4.652432, -0.136147, -3.261773]],
    // biome-ignore format: one row of the layer a line
    ["ties_svd of unequal ranks", unequalRanks, { combination: "ties_svd", density: 0.7 }, 3, [
      4.213818, -1.27777, -3.466618, -2.984383, 1.572583,
      0.506525, -1.758359, -2.229501, 0.00847, -2.233797,
      0.410105, -1.163849, 2.033191, 0.698705, 1.175588,
      -0.37427, 1.185012, -2.465387, -0.824434, -1.434774]],
  ];
  test.each(runs)("%s", (_, parts, options, r, expected) => {
    const found = combine(parts, options);
    expect([found.r, found.scale, found.a.length, found.b.length]).toEqual([r, 1, r * IN, OUT * r]);
    // Half a unit of the six decimals recorded, and the rounding of sums of about ten float32 products below 8 each side.
    expect(distance(changeOf(found), expected)).toBeLessThan(5e-7 + 20 * 8 * 2 ** -24);
  });
});

describe("a single adapter gives itself back", () => {
  const only = random(5, 3, 6, 7, 3.5);
  test.each(COMBINATIONS)("%s at weight 1, and times its weight at -2", (combination) => {
    const change = changeOf(only);
    // A root, two products and a sum of r products of roundings 2⁻²⁴ each.
    const tolerance = 8 * 2 ** -24 * Math.max(...change.map(Math.abs));
    const itself = combine([{ factors: only, weight: 1 }], { combination, density: 0.3, rank: 1 });
    expect([itself.r, itself.scale]).toEqual([only.r, 1]);
    expect(distance(changeOf(itself), change)).toBeLessThan(tolerance);
    const negated = combine([{ factors: only, weight: -2 }], { combination });
    expect(
      distance(
        changeOf(negated),
        change.map((x) => -2 * x),
      ),
    ).toBeLessThan(2 * tolerance);
  });
});

describe("the sum of the changes", () => {
  const parts: Part[] = [
    { factors: random(1, 2, 9, 8, 0.5), weight: 1.5 },
    { factors: random(2, 3, 9, 8, 2), weight: -0.25 },
  ];
  test("is exactly that of cat, and of svd when the rank suffices", () => {
    const sum = exactSum(parts);
    const tolerance = 2 ** -20 * Math.max(...sum.map(Math.abs));
    expect(distance(changeOf(combine(parts, { combination: "cat" })), sum)).toBeLessThan(tolerance);
    expect(distance(changeOf(combine(parts, { combination: "svd", rank: 5 })), sum)).toBeLessThan(tolerance);
  });
  test("is approximated by svd as well as its singular values allow", () => {
    const sum = exactSum(parts);
    const error = changeOf(combine(parts, { combination: "svd", rank: 2 })).map((x, i) => x - sum[i]!);
    const rest = svd(matrix(9, 8, sum)).s.slice(2);
    const expected = Math.sqrt(rest.reduce((energy, s) => energy + s * s, 0));
    expect(Math.abs(Math.hypot(...error) / expected - 1)).toBeLessThan(1e-5);
  });
  test("differs from linear by the products of one adapter's b and another's a", () => {
    const [first, second] = [random(3, 2, 6, 5, 4), random(4, 2, 6, 5, 1)];
    const summed = [
      { factors: first, weight: 1 },
      { factors: second, weight: -0.25 },
    ];
    const found = changeOf(combine(summed, { combination: "linear" }));
    // √4·√0.25 = 1, and the minus sign goes with a.
    const crossed = exactSum([
      ...summed,
      { factors: { ...first, a: second.a, scale: 1 }, weight: -1 },
      { factors: { ...second, a: first.a, scale: 1 }, weight: 1 },
    ]);
    expect(distance(found, crossed)).toBeLessThan(1e-5);
    expect(distance(found, exactSum(summed))).toBeGreaterThan(1);
  });
  test("a rank above that of the sum and of the layer is filled up with zeros", () => {
    for (const rank of [6, 12]) {
      const wide = combine(parts, { combination: "svd", rank });
      expect([wide.r, wide.a.length, wide.b.length]).toEqual([rank, rank * 8, 9 * rank]);
      expect(distance(changeOf(wide), exactSum(parts))).toBeLessThan(1e-5);
    }
    const pruned = combine(parts, { combination: "magnitude_prune_svd", density: 1, rank: 12 });
    expect(distance(changeOf(pruned), exactSum(parts))).toBeLessThan(1e-5);
  });
});

/** Adapters of rank 1 on a layer of one output, b = 1: the change is a, so each number can be worked out by hand. */
function row(...a: readonly number[]): Factors {
  return { a: Float32Array.from(a), b: Float32Array.of(1), r: 1, inFeatures: a.length, outFeatures: 1, scale: 1 };
}

describe("by hand", () => {
  const parts: Part[] = [
    { factors: row(4, -1, 2, 0, 3, -6), weight: 1 },
    { factors: row(-2, -3, 1, 5, -4, 6), weight: 4 },
  ];
  const changes = (options: Omit<CombineOptions, "random">) => [
    ...changeOf(combine(parts, options)).map((x) => Math.round(x * 1e5) / 1e5),
  ];
  test("magnitude_prune_svd keeps the largest half of each, then weighs and sums", () => {
    // Kept: 4, 3, -6 and 5, -4, 6.
    expect(changes({ combination: "magnitude_prune_svd", density: 0.5 })).toEqual([4, 0, 0, 20, -13, 18]);
  });
  test("of numbers of equal size the first are kept, and the count is rounded down", () => {
    const equal = [
      { factors: row(2, -2, 2, 1, -2), weight: 1 },
      { factors: row(0, 0, 0, 0, 0), weight: 1 },
    ];
    const kept = changeOf(combine(equal, { combination: "magnitude_prune_svd", density: 0.5 }));
    expect(distance(kept, [2, -2, 0, 0, 0])).toBeLessThan(1e-6);
  });
  test("ties_svd elects signs before the weights, a tie for plus, and takes the mean of those that agree", () => {
    // Sums are 2, -4, 3, 5, -1, 0: the signs + - + + - +.
    expect(changes({ combination: "ties_svd", density: 1 })).toEqual([4, (-1 - 12) / 2, (2 + 4) / 2, 20, -16, 24]);
  });
  test("ties_svd by frequency counts heads, so that one large number does not decide", () => {
    const three = [row(5, 1), row(-1, 1), row(-1, -9)].map((factors) => ({ factors, weight: 1 }));
    const byCount = combine(three, { combination: "ties_svd", density: 1, majoritySign: "frequency" });
    expect(distance(changeOf(byCount), [-1, 1])).toBeLessThan(1e-6);
    const bySum = combine(three, { combination: "ties_svd", density: 1, majoritySign: "total" });
    expect(distance(changeOf(bySum), [5, -9])).toBeLessThan(1e-6);
  });
  test("svdClamp bounds both factors by a quantile of all their numbers", () => {
    const unit = [row(0.6, -0.8), row(0, 0)].map((factors) => ({ factors, weight: 1 }));
    const { a, b } = combine(unit, { combination: "svd", svdClamp: 0.75 });
    // U·Σ = ±1 and V = ±(0.6, -0.8). Sorted: -0.8, 0.6, 1, or -1, -0.6, 0.8; three quarters up: 0.8, or 0.1.
    const limit = b[0]! > 0 ? 0.8 : 0.1;
    expect(distance([...b, ...a].map(Math.abs), [limit, Math.min(limit, 0.6), limit])).toBeLessThan(1e-6);
  });
  test("combineTensors sums the vectors", () => {
    const found = combineTensors([
      { values: Float32Array.of(1, 2, -3), weight: 0.5 },
      { values: Float32Array.of(4, 0, 1), weight: -2 },
    ]);
    expect([...found]).toEqual([-7.5, 1, -3.5]);
  });
});

describe("dare", () => {
  const parts: Part[] = [
    { factors: row(1, -2, 3, 4), weight: 2 },
    { factors: row(5, 1, -1, 0.5), weight: -1 },
  ];
  test("keeps each number with the chance of density, so that the mean over many draws is the sum", () => {
    const draw = new Philox(3);
    const draws = 4000;
    const mean = new Float64Array(4);
    for (let n = 0; n < draws; n++) {
      const found = changeOf(
        combineFactors(parts, { combination: "dare_linear_svd", density: 0.4, random: () => draw.uniform() }),
      );
      for (const [i, x] of found.entries()) mean[i]! += x / draws;
    }
    // The variance of x·kept/density is x²·(1 - density)/density; five standard errors.
    const [first, second] = [parts[0]!.factors.a, parts[1]!.factors.a];
    for (const [i, x] of mean.entries()) {
      const spread = Math.hypot(2 * first[i]!, second[i]!) * Math.sqrt(0.6 / 0.4 / draws);
      expect(Math.abs(x - (2 * first[i]! - second[i]!))).toBeLessThan(5 * spread);
    }
  });
  test("draws for the a of each adapter, then for the b, and keeps what is drawn below density", () => {
    const drawn = [0, 0.9, 0.49, 0.5, /* a₂ */ 0.7, 0.1, 0.2, 0.99, /* b₁, b₂ */ 0.3, 0.4];
    const found = combineFactors(parts, { combination: "dare_linear", density: 0.5, random: () => drawn.shift()! });
    expect(drawn).toEqual([]);
    const root = Math.SQRT2;
    expect(distance(found.a, [2 * root, -2, 6 * root + 2, 0])).toBeLessThan(1e-6);
    expect(distance(found.b, [2 * root + 2])).toBeLessThan(1e-6);
  });
  test("dare_ties elects among the numbers that are left", () => {
    const drawn = [0, 0, 0, 0, /* a₂ */ 0, 0, 0.9, 0, /* b */ 0, 0];
    const found = combineFactors(parts, { combination: "dare_ties", density: 0.5, random: () => drawn.shift()! });
    // a: 2, -4, 6, 8 and 10, 2, 0, 1 after the division; signs + - + +; weights √2 and -1.
    const root = Math.SQRT2;
    const expected = [(2 * root - 10) / 2, -4 * root, 6 * root, (8 * root - 1) / 2];
    expect(distance(found.a, expected)).toBeLessThan(1e-5);
    expect(distance(found.b, [(2 * root + 2) / 2])).toBeLessThan(1e-5);
  });
});

describe("lowRankOf", () => {
  const shape = { outFeatures: 3, inFeatures: 4 };
  /** Singular values 4, 2, 1: the shares of energy are 16, 20 and 21 of 21. */
  const change = Float32Array.of(0, 2, 0, 0, 0, 0, 0, -4, 1, 0, 0, 0);
  test("b is U·Σ and a has orthonormal rows, of scale 1", () => {
    const { a, b, r, scale } = lowRankOf(change, shape, { rank: 2 });
    expect([r, scale]).toEqual([2, 1]);
    expect(distance(a.map(Math.abs), [0, 0, 0, 1, 0, 1, 0, 0])).toBeLessThan(1e-6);
    expect(distance(b.map(Math.abs), [0, 2, 4, 0, 0, 0])).toBeLessThan(1e-6);
    const kept = [...change];
    kept[8] = 0;
    expect(distance(changeOf(lowRankOf(change, shape, { rank: 2 })), kept)).toBeLessThan(1e-6);
  });
  test.each([
    [0.1, 1],
    [16 / 21, 1],
    [0.77, 2],
    [20 / 21, 2],
    [0.96, 3],
    [1, 3],
  ])("a share %d of the energy takes %d singular values", (energy, r) => {
    expect(lowRankOf(change, shape, { energy }).r).toBe(r);
  });
  test("all the energy of a low-rank change in a large layer takes its rank", () => {
    const factors = random(8, 6, 160, 150, 0.7);
    const whole = changeOf(factors);
    const found = lowRankOf(whole, factors, { energy: 1 });
    expect(found.r).toBe(6);
    expect(distance(changeOf(found), whole)).toBeLessThan(2 ** -20 * Math.max(...whole.map(Math.abs)));
  });
  test("no change at all takes rank 1", () => {
    const nothing = lowRankOf(new Float32Array(12), shape, { energy: 0.9 });
    expect(nothing.r).toBe(1);
    expect([...changeOf(nothing)].every((x) => x === 0)).toBe(true);
  });
});

describe("what cannot be combined is named", () => {
  const bad = (parts: readonly Part[], options: Partial<CombineOptions>) => () =>
    combineFactors(parts, { combination: "linear", random: noRandom, ...options });
  test.each(["linear", "ties", "dare_linear", "dare_ties", "magnitude_prune"] as const)(
    "unequal ranks, %s",
    (combination) => {
      expect(bad(unequalRanks, { combination, density: 0.5 })).toThrow(`adapters of rank 2, 3: "${combination}" sums`);
    },
  );
  test.each(COMBINATIONS.filter((name) => /ties|dare|prune/.test(name)))(
    "a density of %s that is not one",
    (combination) => {
      expect(bad(equalRanks, { combination })).toThrow(`density of "${combination}" is missing: expected`);
      for (const density of [0, -0.1, 1.01, Number.NaN])
        expect(bad(equalRanks, { combination, density })).toThrow(
          `is ${density}: expected a number above 0, at most 1`,
        );
    },
  );
  test("names, ranks, quantiles and weights", () => {
    expect(bad(equalRanks, { combination: "tie" as Combination })).toThrow(/"tie" is unknown.* Did you mean "ties"/);
    expect(bad(equalRanks, { majoritySign: "sum" as "total" })).toThrow('majoritySign "sum" is unknown');
    expect(bad(equalRanks, { combination: "svd", rank: 0 })).toThrow("rank 0: expected a whole number");
    expect(bad(equalRanks, { combination: "svd", svdClamp: 2 })).toThrow(
      "svdClamp is 2: expected a number from 0 to 1",
    );
    expect(bad([{ factors: row(1), weight: Number.NaN }], {})).toThrow("weight NaN of an adapter");
  });
  test("layers, sizes and numbers", () => {
    expect(bad([], {})).toThrow("there is nothing to combine");
    const other = [equalRanks[0]!, { factors: row(1, 2), weight: 1 }];
    expect(bad(other, {})).toThrow("adapters of layers [4, 5], [1, 2]: expected equal shapes");
    const short = { ...row(1, 2), a: Float32Array.of(1) };
    expect(bad([{ factors: short, weight: 1 }], {})).toThrow("adapter 1: a has 1 numbers and b has 1, expected [1, 2]");
    expect(bad([{ factors: row(Number.NaN), weight: 1 }], {})).toThrow(
      "adapter 1 contains a number that is not finite",
    );
    expect(() => combineTensors([])).toThrow("there is nothing to combine");
    const uneven = [1, 2].map((length) => ({ values: new Float32Array(length), weight: 1 }));
    expect(() => combineTensors(uneven)).toThrow("tensors of 1, 2 numbers");
  });
  test("a rank and a share of energy of lowRankOf", () => {
    const shape = { outFeatures: 1, inFeatures: 2 };
    const change = Float32Array.of(1, 2);
    expect(() => lowRankOf(change, shape, { rank: 2 })).toThrow("rank 2: a layer [1, 2] has at most rank 1");
    expect(() => lowRankOf(change, shape, { energy: 0 })).toThrow("energy is 0: expected");
    expect(() => lowRankOf(Float32Array.of(1, Number.NaN), shape, { rank: 1 })).toThrow("not finite");
  });
});
