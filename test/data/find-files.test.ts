import { expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { findFiles, trainingFiles } from "../../src/data/find-files.ts";

const place = (file: string, ...names: string[]) => ({
  source: mapSource(Object.fromEntries(names.map((name) => [name, new Uint8Array()]))),
  file,
  prefix: "data/",
});

test("a pattern stands for the names that match it, in order", async () => {
  const names = ["b-1.jsonl", "a-2.jsonl", "a-2.jsonl.gz", "a-x.csv", "sub/a-3.jsonl"];
  const found = (pattern: string) => findFiles(place(pattern, ...names));
  expect(await found("*.jsonl")).toEqual(["a-2.jsonl", "b-1.jsonl"]);
  expect(await found("a-?.{csv,jsonl}")).toEqual(["a-2.jsonl", "a-x.csv"]);
  expect(await found("[!a]*")).toEqual(["b-1.jsonl"]);
  expect(await found("**/*.jsonl")).toEqual(["sub/a-3.jsonl"]);
  await expect(found("c*")).rejects.toThrow(/no file of the given files matches "c\*"/);
});

test("a name is taken as it is, whatever marks are in it", async () => {
  expect(await findFiles(place("a[1].jsonl", "a[1].jsonl", "a1.jsonl"))).toEqual(["a[1].jsonl"]);
  expect(await findFiles(place("missing.jsonl", "a.jsonl"))).toEqual(["missing.jsonl"]);
});

test("of a data set, what is named for training is meant, or else all that is not held out", () => {
  const files = (...names: string[]) => trainingFiles("hf://datasets/org/name/", names);
  const about = ["README.md", "dataset_infos.json", ".gitattributes"];
  expect(files(...about, "data/train-0.parquet", "data/train-1.parquet", "data/test-0.parquet")).toEqual([
    "data/train-0.parquet",
    "data/train-1.parquet",
  ]);
  expect(files(...about, "rows.jsonl", "validation.jsonl")).toEqual(["rows.jsonl"]);
  expect(() => files("en/train.csv", "de/train.csv")).toThrow(/several sets of files; name one.*\n.*\/name\/en\/train/);
  expect(() => files("train.csv", "train.jsonl")).toThrow(/several sets/);
  expect(() => files("test.csv")).toThrow(/several sets/);
  expect(() => files(...about)).toThrow(/has no file with an ending of \.jsonl/);
});
