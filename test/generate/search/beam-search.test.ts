import { describe, expect, test } from "vitest";
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
