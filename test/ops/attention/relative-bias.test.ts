import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { relativeBias, relativeBucket } from "../../../src/ops/attention/relative-bias.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { builds, expectGradients, Gym } from "../gradients.ts";

/**
 * T5Attention._relative_position_bucket of transformers 4.57.6 for distances −2048 to 2048: "distance:bucket" wherever a new
 * bucket starts.
 */
const published = [
  {
    buckets: 32,
    maxDistance: 128,
    bidirectional: true,
    starts:
      "-2048:15 -90:14 -63:13 -45:12 -31:11 -22:10 -15:9 -11:8 -7:7 -6:6 -5:5 -4:4 -3:3 -2:2 -1:1 0:0 1:17 2:18 " +
      "3:19 4:20 5:21 6:22 7:23 8:24 12:25 16:26 23:27 32:28 46:29 64:30 91:31",
  },
  {
    buckets: 32,
    maxDistance: 128,
    bidirectional: false,
    starts:
      "-2048:31 -112:30 -98:29 -86:28 -76:27 -66:26 -58:25 -51:24 -45:23 -39:22 -34:21 -30:20 -26:19 -23:18 " +
      "-20:17 -18:16 -15:15 -14:14 -13:13 -12:12 -11:11 -10:10 -9:9 -8:8 -7:7 -6:6 -5:5 -4:4 -3:3 -2:2 -1:1 0:0",
  },
  {
    buckets: 8,
    maxDistance: 20,
    bidirectional: true,
    starts: "-2048:3 -6:2 -1:1 0:0 1:5 2:6 7:7",
  },
  {
    buckets: 12,
    maxDistance: 100,
    bidirectional: false,
    starts: "-2048:11 -62:10 -39:9 -24:8 -15:7 -9:6 -5:5 -4:4 -3:3 -2:2 -1:1 0:0",
  },
  {
    buckets: 64,
    maxDistance: 512,
    bidirectional: true,
    starts:
      "-2048:31 -412:30 -331:29 -267:28 -215:27 -173:26 -139:25 -112:24 -90:23 -72:22 -58:21 -47:20 -38:19 " +
      "-30:18 -24:17 -19:16 -15:15 -14:14 -13:13 -12:12 -11:11 -10:10 -9:9 -8:8 -7:7 -6:6 -5:5 -4:4 -3:3 -2:2 " +
      "-1:1 0:0 1:33 2:34 3:35 4:36 5:37 6:38 7:39 8:40 9:41 10:42 11:43 12:44 13:45 14:46 15:47 16:48 20:49 " +
      "25:50 31:51 39:52 48:53 59:54 73:55 91:56 113:57 140:58 174:59 216:60 268:61 332:62 413:63",
  },
] as const;

test.each(published)(
  "buckets are those of transformers up to distance 2048: $buckets to $maxDistance, bidirectional $bidirectional",
  ({ starts, ...rule }) => {
    const found: string[] = [];
    let last = -1;
    for (let distance = -2048; distance <= 2048; distance++) {
      const bucket = relativeBucket(distance, rule);
      if (bucket !== last) found.push(`${distance}:${bucket}`);
      last = bucket;
    }
    expect(found).toEqual(starts.split(" "));
  },
);

const rule = { reach: 9, buckets: 8, maxDistance: 7, bidirectional: true };

for (const build of builds) {
  test(`relativeBias (${build}) looks up every distance for every head, and trains its weight`, async () => {
    using gym = await Gym.open(build);
    const weight = gym.param("weight", [8, 3]);
    const op = (tape: Tape) => relativeBias(tape, weight, rule).table;
    const table = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    const want = [0, 1, 2].flatMap((h) =>
      Array.from({ length: 17 }, (_, c) => weight.values()[relativeBucket(c - 8, rule) * 3 + h]!),
    );
    expect(Array.from(table)).toEqual(want);
    expectGradients(gym.engine, [weight], op);
  });

  test(`relativeBias (${build}) widens a frozen weight, and needs no gradient then`, async () => {
    using gym = await Gym.open(build);
    const weight = gym.frozen("weight", [8, 3], "bf16");
    Tape.once(gym.engine, { recording: true }, (tape) => {
      const { table, reach } = relativeBias(tape, weight, rule);
      expect([reach, table.needsGrad, table.shape]).toEqual([9, false, [3, 17]]);
      if (tape.planning) return;
      const values = readElements(gym.engine.memory, weight);
      expect(tape.download(table)[8]).toBe(values[relativeBucket(0, rule) * 3]);
    });
  });
}

test("relativeBias refuses a weight with another number of buckets", async () => {
  using gym = await Gym.open("baseline");
  const weight = gym.param("weight", [7, 3]);
  const call = () => Tape.plan(gym.engine, {}, (tape) => relativeBias(tape, weight, rule));
  expect(call).toThrow(ShapeError);
  expect(call).toThrow('"weight": shape [7, 3] must be [8, 3]');
});
