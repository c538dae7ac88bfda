import { describe, expect, test } from "vitest";
import { TorchRandom } from "../../../src/core/random/torch-random.ts";

/** All expected numbers are torch 2.13's, from torch.Generator().manual_seed(seed), on a machine with AVX2. */
const f32 = (values: readonly number[]) => [...Float32Array.from(values)];

/** How far apart two float32 numbers are, in steps from one to the next. */
function ulps(a: number, b: number): number {
  const order = (x: number) => {
    const bits = new Int32Array(Float32Array.of(x).buffer)[0]!;
    return bits < 0 ? -(bits & 0x7fffffff) : bits;
  };
  return Math.abs(order(a) - order(b));
}

function expectWithin(limit: number, found: Float32Array, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  expect(Math.max(...found.map((x, i) => ulps(x, expected[i]!)))).toBeLessThanOrEqual(limit);
}

test("word 10000 under the reference seed 5489 is the one that the C++ standard states", () => {
  const random = new TorchRandom(5489);
  for (let i = 1; i < 10_000; i++) random.nextU32();
  expect(random.nextU32()).toBe(4123659995);
});

describe("uniform numbers are torch's, bit for bit", () => {
  test("rand, also past the 624 words of one state", () => {
    const expected = [0.53492254, 0.198803186, 0.659211695, 0.656890273, 0.232761562];
    expect([...new TorchRandom(7).rand(5)]).toEqual(f32(expected));
    const tail = [0.935374379, 0.223480225, 0.161741853, 0.890166819];
    expect([...new TorchRandom(5).rand(1300).subarray(1296)]).toEqual(f32(tail));
  });
  test("only the low 32 bits of a seed count, negative ones from below", () => {
    expect(new TorchRandom(2 ** 32 + 7).rand(1)).toEqual(new TorchRandom(7).rand(1));
    expect([...new TorchRandom(-1).rand(2)]).toEqual(f32([0.993799388, 0.571306348]));
    expect(new TorchRandom(-1).rand(2)).toEqual(new TorchRandom(2 ** 32 - 1).rand(2));
  });
  test("uniform rounds its bounds to float32 first", () => {
    const expected = [-0.295736492, -0.194430649, -0.0141575336, -0.273045182, 0.171614349];
    expect([...new TorchRandom(3).uniform(5, -0.3, 0.7)]).toEqual(f32(expected));
  });
  test("kaimingUniform counts every axis but the first as fan in", () => {
    const matrix = new TorchRandom(9).kaimingUniform([4, 6], Math.sqrt(5));
    expect(matrix.length).toBe(24);
    const expected = [0.127197504, -0.161647797, -0.0164145008, 0.226474613, 0.341266453, 0.351937473];
    expect([...matrix.subarray(0, 6)]).toEqual(f32(expected));
    const cube = new TorchRandom(9).kaimingUniform([3, 2, 5]);
    expect(cube.length).toBe(30);
    expect([...cube.subarray(0, 3)]).toEqual(f32([0.241340294, -0.306705117, -0.0311443228]));
  });
});

describe("integers and permutations are torch's", () => {
  test("randperm", () => {
    expect([...new TorchRandom(777).randperm(10)]).toEqual([5, 9, 0, 3, 1, 7, 4, 8, 6, 2]);
    const large = [...new TorchRandom(777).randperm(768 * 768)];
    expect(large.slice(0, 6)).toEqual([391271, 183699, 413551, 384200, 435559, 59955]);
    expect(large.slice(-3)).toEqual([433888, 399217, 362094]);
    expect([...new TorchRandom(1).randperm(1)]).toEqual([0]);
  });
  test("randint takes one word for a range below 2^28 and two from there on", () => {
    const narrow = [920, 294, 229, 483, 818, 548, 246, 846];
    expect([...new TorchRandom(1).randint(8, -5, 1000)]).toEqual(narrow);
    expect([...new TorchRandom(1).randint(3, 0, 2 ** 28 - 1)]).toEqual([180483115, 256344314, 140980119]);
    expect([...new TorchRandom(1).randint(3, 0, 2 ** 28)]).toEqual([256344299, 247206984, 13419401]);
    const full = [2135392491, 1857819720, -1597193335];
    expect([...new TorchRandom(1).randint(3, -(2 ** 31), 2 ** 31)]).toEqual(full);
  });
});

describe("normal numbers are torch's", () => {
  // Fewer than 16 are computed in double precision on both sides: only the rounding of sin, cos and log can differ.
  test("five, to the last bit", () => {
    const expected = [0.516065538, 0.503496647, 0.501779556, 0.487725645, 0.500923634];
    expectWithin(1, new TorchRandom(3).normal(5, 0.5, 0.02), expected);
  });
  // From 16 on in float32: the logarithm, the root, the cosine and two products round once each, by half a unit.
  test("a block of 16 with mean and deviation", () => {
    const expected = [
      0.498467118, 0.507197618, 0.484359652, 0.501430571, 0.513296783, 0.494264394, 0.532411039, 0.468065828,
      0.498966366, 0.493880481, 0.504970014, 0.495548785, 0.518263042, 0.504086792, 0.511479676, 0.50832665,
    ];
    expectWithin(1, new TorchRandom(3).normal(16, 0.5, 0.02), expected);
  });
  test("20: the last 16 are drawn again over the first block", () => {
    const expected = [
      -0.076644294, 0.35988152, -0.782016814, 0.0715277344, 1.04602277, 0.522186995, -0.166809157, 0.0530334003,
      0.404607147, 0.611299634, 0.760390401, -0.0336432606, 0.997922421, 0.459180444, 2.43639708, -0.146808177,
      0.485114008, 0.205234379, 0.338428199, 1.352754,
    ];
    expectWithin(3, new TorchRandom(3).normal(20), expected);
  });
  test("33: two blocks, then the last 16 again", () => {
    const expected = [
      -0.076644294, 0.35988152, -0.782016814, 0.0715277344, 0.664839387, -0.286780298, 1.62055075, -1.59670806,
      -0.0516809635, -0.305975705, 0.248501748, -0.222560838, 0.91315192, 0.204341114, 0.573984683, 0.416331291,
      0.261501163, -0.292912543, -0.348089308, 0.348746359, 0.0370668769, -0.0676855892, 0.429033041, -0.86811924,
      -1.19631958, 0.141628474, 0.129517823, 0.681411088, -0.958300412, 0.0639240816, 0.65891391, 0.8194592, 0.56159389,
    ];
    expectWithin(3, new TorchRandom(3).normal(33), expected);
  });
  test("1000, both ends", () => {
    const found = new TorchRandom(11).normal(1000);
    const head = [-0.51079756, 1.02827179, -0.35315159, 0.122991316, -0.181554466, -1.49722815];
    const tail = [
      0.396971256, 0.484360635, -1.19151604, 0.822074831, -0.628409505, 1.25631285, -1.68242598, 1.48050654,
      -0.776198745, 0.545717418, -1.54272842, 0.380705386, 0.583581924, -0.222111493, 0.78095305, -1.32978892,
      1.57230735, 0.51956892, 0.539112449, -0.828356326,
    ];
    expectWithin(3, found.subarray(0, 6), head);
    expectWithin(3, found.subarray(980), tail);
  });
  test("a short draw of odd length leaves one number over, which later draws of another kind do not touch", () => {
    const random = new TorchRandom(4);
    expectWithin(1, random.normal(3), [-1.60527635, 0.232485712, 2.23987007]);
    expect([...random.rand(2)]).toEqual(f32([0.61857903, 0.974388659]));
    expectWithin(1, random.normal(2, 10, 0.5), [10.4236469, 9.51275253]);
    const long = [
      -1.04986942, -1.33676672, -0.481538892, 1.24344778, 2.36933231, 0.282944113, -0.234539524, 1.68924356,
      0.271639168, -1.45798481, -0.694786489, -1.31858552, -0.969386041, 0.640253723, 0.820123434, -0.915110648,
      -2.14373302,
    ];
    expectWithin(3, random.normal(17), long);
    expectWithin(1, random.normal(3), [-0.325437397, 1.47805285, 1.44431758]);
  });
});

test("a seed, a range, a shape and a length that cannot be are named", () => {
  expect(() => new TorchRandom(0.5)).toThrow("TorchRandom seed is 0.5, expected an integer");
  expect(() => new TorchRandom(0).randint(1, 3, 3)).toThrow("randint from 3 to 3");
  expect(() => new TorchRandom(0).randint(1, 0, 2 ** 32)).toThrow("two signed 32-bit integers");
  expect(() => new TorchRandom(0).kaimingUniform([4])).toThrow("shape [4]: expected [out, in, ...]");
  expect(() => new TorchRandom(0).randperm(214748364)).toThrow("must be below 214748364");
});
