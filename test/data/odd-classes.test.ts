import { expect, test } from "vitest";
import { oddClasses } from "../../src/data/odd-classes.ts";

test("rare classes and names that are nearly the same are pointed out, and nothing else is", () => {
  const odd = (counts: Record<string, number>) => oddClasses(new Map(Object.entries(counts)));
  expect(odd({ praise: 120, prais: 1, complaint: 80 })).toEqual([
    'class "prais" (1 example) is spelled almost like "praise" (120): a typo?',
  ]);
  expect(odd({ Praise: 3, praise: 120 })).toEqual([
    'class "Praise" (3 examples) differs from "praise" (120) only in case or signs: are they one?',
  ]);
  expect(odd({ "a b": 5, "a-b": 5 })).toHaveLength(1);
  expect(odd({ ham: 100, spam: 2 })).toEqual(['class "spam" has only 2 examples, too few to learn it']);
  expect(odd({ praise: 2, complaint: 2, none: 0 })).toEqual([]);
  expect(odd({ "B-PERSON": 4, "I-PERSON": 200 })).toEqual([]);
  expect(odd({ LABEL_0: 4, LABEL_1: 200, class1: 5, class2: 400 })).toEqual([]);
});
