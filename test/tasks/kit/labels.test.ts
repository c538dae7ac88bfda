import { expect, test } from "vitest";
import { classOf, encodeLabel, labelNamesOf, problemTypeOf } from "../../../src/tasks/kit/labels.ts";

const rows = (...labels: (string | number | (string | number)[])[]) =>
  labels.map((label) => ({ kind: "text", label }) as { kind: string; label: never });

test("the problem follows from the labels", () => {
  expect(problemTypeOf(rows("a", "b"))).toBe("single_label_classification");
  expect(problemTypeOf(rows(["a"], ["b", "a"]))).toBe("multi_label_classification");
  expect(problemTypeOf(rows(1, 2.5))).toBe("regression");
});

test("names are sorted by code points, and numbers are counted up to the highest", () => {
  expect(labelNamesOf(rows("b", "a", "B", "a"))).toEqual(["B", "a", "b"]);
  expect(labelNamesOf(rows(0, 2))).toEqual(["LABEL_0", "LABEL_1", "LABEL_2"]);
  expect(labelNamesOf([{ kind: "text" }])).toBeNull();
});

test("names and numbers together are refused", () => {
  expect(() => labelNamesOf(rows("a", 1))).toThrow('some labels are names ("a") and others numbers (1)');
});

test("an unknown class is named, with the nearest known one", () => {
  expect(classOf("spam", ["ham", "spam"])).toBe(1);
  expect(classOf("spma", ["ham", "spam"])).toContain('Did you mean "spam"?');
  expect(classOf(2, ["ham", "spam"])).toContain("from 0 to 1");
});

test("labels become numbers: one class, several, or values", () => {
  const names = ["a", "b", "c"];
  expect(encodeLabel("b", names, "single_label_classification")).toEqual(Int32Array.of(1));
  expect(encodeLabel(["c", "a"], names, "multi_label_classification")).toEqual(Float32Array.of(1, 0, 1));
  expect(encodeLabel([0, 1, 1], names, "multi_label_classification")).toEqual(Float32Array.of(0, 1, 1));
  expect(encodeLabel(2.5, ["v"], "regression")).toEqual(Float32Array.of(2.5));
  expect(encodeLabel(["a"], names, "single_label_classification")).toContain("is a list");
  expect(encodeLabel([1, 2], ["v"], "regression")).toContain("2 values, the model gives 1");
});
