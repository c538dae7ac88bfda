import { expect, test } from "vitest";
import { cleanUpSpaces } from "../../src/text/clean-up-spaces.ts";

test("blanks before signs and contractions go, as in transformers", () => {
  expect(cleanUpSpaces("i do n't know , he 's here . are you ?")).toBe("i don't know, he's here. are you?");
  expect(cleanUpSpaces("we 've a dog ' s tail")).toBe("we've a dog's tail");
});

test("other blanks stay", () => {
  expect(cleanUpSpaces("a : b ; ( c )")).toBe("a : b ; ( c )");
});
