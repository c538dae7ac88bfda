/** Tests and goldens: what is tested is found by its name, and nothing is committed twice. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { expect, test } from "vitest";
import { filesBelow, root, sources } from "./source.ts";

/** Sources that have a test of their own name: may rise, never fall. */
const FLOOR = 0.47;
const MEGABYTE = 1e6;
/** Rooms of tests that are not of one source: the house, kernels (kernels.test.ts), the package in its hosts, other folders. */
const elsewhere = /^(house|docs|scripts|kernels|runtimes|bench|examples|fuzz)\//;

const tests = filesBelow("test")
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -".test.ts".length));
const named = [...sources.keys()].filter((file) => !file.endsWith(".generated.ts")).map((file) => file.slice(0, -3));

test("a test is named by the source or the folder of sources that it tests, and by what it asks of it", () => {
  const strangers = tests.filter((name) => {
    const [subject] = name.split(/\.(?=[^/]*$)/) as [string];
    return !elsewhere.test(name) && !named.includes(subject) && !existsSync(join(root, "src", subject));
  });
  expect(strangers).toEqual([]);
});

test("the share of sources with a test of their name does not fall", () => {
  const sole = named.filter((name) => !/^(tokenizers|jinja)\//.test(name)); // the others are held by conformance with Rust and Jinja
  const tested = sole.filter((name) => tests.includes(name)).length;
  expect(tested / sole.length).toBeGreaterThan(FLOOR);
});

test("no two goldens have the same bytes, and all together are small", () => {
  const first = new Map<string, string>();
  const copies: string[] = [];
  let bytes = 0;
  for (const file of filesBelow("test/golden")) {
    const content = readFileSync(join(root, "test/golden", file));
    bytes += content.length;
    const hash = createHash("sha256").update(content).digest("hex");
    if (first.has(hash)) copies.push(`${file} is ${first.get(hash)}: node test/shared-goldens.mjs share`);
    else first.set(hash, file);
  }
  expect(copies).toEqual([]);
  expect(first.size).toBeGreaterThan(500);
  expect(bytes).toBeLessThan(12 * MEGABYTE);
});

test("what same.json leaves out has the bytes that it names", () => {
  const same: Record<string, string[]> = JSON.parse(readFileSync(join(root, "test/golden/same.json"), "utf8"));
  for (const [hash, [original, ...copies]] of Object.entries(same)) {
    const content = readFileSync(join(root, "test/golden", original!));
    expect(createHash("sha256").update(content).digest("hex"), original).toBe(hash);
    expect(copies.length).toBeGreaterThan(0);
    expect(copies.filter((copy) => existsSync(join(root, "test/golden", copy)))).toEqual([]);
  }
});
