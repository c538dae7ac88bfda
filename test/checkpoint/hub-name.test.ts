import { expect, test } from "vitest";
import { expectHubName, labelOf, parseHubName } from "../../src/checkpoint/hub-name.ts";
import { FormatError } from "../../src/core/errors.ts";

test.each([
  ["gpt2", "gpt2", null],
  ["bigscience/mt0-large", "bigscience/mt0-large", null],
  ["org/name@v1.0", "org/name", "v1.0"],
  ["gpt2@refs/pr/3", "gpt2", "refs/pr/3"],
  ["a_b/c.d-e", "a_b/c.d-e", null],
])("%s is a model", (text, repo, revision) => {
  expect(parseHubName(text)).toEqual({ repo, revision });
});

test.each([
  "",
  "./gpt2",
  "../gpt2",
  "/gpt2",
  "a/b/c",
  "a//b",
  "a b",
  "org/",
  "a--b",
  "a..b",
  "-a",
  "a.",
  "gpt2@",
  "x".repeat(97),
])("%j is none", (text) => {
  expect(parseHubName(text)).toBeNull();
  expect(() => expectHubName(text)).toThrow(FormatError);
});

test("the revision of the option comes before that of the name, and main where there is none", () => {
  expect(expectHubName("gpt2@a", "b")).toEqual({ repo: "gpt2", revision: "b" });
  expect(expectHubName("gpt2@a")).toEqual({ repo: "gpt2", revision: "a" });
  expect(expectHubName("gpt2")).toEqual({ repo: "gpt2", revision: "main" });
});

test("messages name a revision only where it is not main", () => {
  expect(labelOf("gpt2", "main")).toBe('model "gpt2"');
  expect(labelOf("gpt2", "v1")).toBe('model "gpt2@v1"');
});
