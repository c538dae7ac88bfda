import { describe, expect, test } from "vitest";
import { Philox } from "../../../src/core/random/philox.ts";
import { BeamSearch, type EarlyStopping } from "../../../src/generate/search/beam-search.ts";

describe("when to stop looking", () => {
  const log = (...p: number[]) => Float32Array.from(p, Math.log);
  /** One beam, of which a sequence of one token has ended with p = 0.5 and another runs with 0.3. */
  const begun = (earlyStopping: EarlyStopping, lengthPenalty: number) => {
    const search = new BeamSearch({ numBeams: 1, lengthPenalty, earlyStopping, room: 10, stops: new Set([0]) });
    return { search, goesOn: search.advance(log(0.5, 0.3, 0.2)) };
  };

  test("true stops as soon as as many sequences as beams have ended", () => {
    expect(begun(true, 1).goesOn).toBeNull();
  });
  test("false stops when the running one is worse at its present length", () => {
    expect(begun(false, 1).goesOn).toBeNull();
  });
  test('"never" goes on while it could become better by growing longer', () => {
    const { search, goesOn } = begun("never", 1);
    expect(goesOn).toEqual([0]);
    // ln 0.3 at the tenth token counts −0.12, better than ln 0.5 = −0.69: the text is to end with p = 0.9.
    expect(search.advance(log(0.9, 0.05, 0.05))).toEqual([0]);
    expect(search.drafts[0]!.ids).toEqual([1, 0]);
    expect(search.drafts[0]!.score).toBeCloseTo(Math.log(0.3 * 0.9) / 2, 6);
    expect(begun("never", 0).goesOn).toBeNull();
  });
  test("long sequences gain by a high penalty and lose by a low one", () => {
    for (const [lengthPenalty, ids] of [
      [0, [0]],
      [2, [1, 0]],
    ] as const) {
      const search = new BeamSearch({ numBeams: 2, lengthPenalty, earlyStopping: true, room: 10, stops: new Set([0]) });
      search.advance(log(0.5, 0.3, 0.2));
      search.advance(log(0.9, 0.05, 0.05, 0.4, 0.3, 0.3));
      expect(search.drafts[0]!.ids).toEqual(ids);
    }
  });
});

test("beams are drawn without replacement, by the probabilities of whole beams", () => {
  const p = [0.5, 0.3, 0.15, 0.05];
  const logits = Float32Array.from(p, Math.log);
  const firsts = [0, 0, 0, 0];
  const pairs = new Map<string, number>();
  const draws = 4000;
  const random = new Philox(3);
  for (let draw = 0; draw < draws; draw++) {
    const options = { numBeams: 2, lengthPenalty: 0, earlyStopping: true, room: 1, stops: new Set<number>() } as const;
    const search = new BeamSearch({ ...options, random, wanted: 2 });
    expect(search.advance(logits)).toBeNull();
    const ids = search.drafts.map((draft) => draft.ids[0]!);
    expect(ids[0]).not.toBe(ids[1]);
    firsts[ids[0]!]!++;
    const pair = [...ids].sort().join();
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  // A pair {a, b} is drawn as a then b, or b then a: p(a) p(b) / (1 - p(a)) + p(b) p(a) / (1 - p(b)).
  for (const [a, b] of [
    [0, 1],
    [0, 2],
    [1, 2],
    [2, 3],
  ] as const) {
    const want = (p[a]! * p[b]!) / (1 - p[a]!) + (p[a]! * p[b]!) / (1 - p[b]!);
    expect(Math.abs((pairs.get(`${a},${b}`) ?? 0) / draws - want)).toBeLessThan(0.032);
  }
  expect(firsts[0]! / draws).toBeGreaterThan(0.5); // returned best first
});
