import { existsSync } from "node:fs";
import { posix, win32 } from "node:path";
import { expect, test } from "vitest";
import { at, filesBelow, nameOf } from "./scripts.ts";

test("names of files become paths of the platform, and back", () => {
  expect(at("src/wasm/pool.ts", win32, "C:\\lorikeet\\")).toBe("C:\\lorikeet\\src\\wasm\\pool.ts");
  expect(nameOf("C:\\lorikeet\\src\\wasm\\pool.ts", win32, "C:\\lorikeet\\")).toBe("src/wasm/pool.ts");
  expect(at("src/wasm/pool.ts", posix, "/home/lorikeet/")).toBe("/home/lorikeet/src/wasm/pool.ts");
  expect(nameOf("/home/lorikeet/src/wasm/pool.ts", posix, "/home/lorikeet/")).toBe("src/wasm/pool.ts");
});

test("what is listed exists, in an order that does not depend on the platform", () => {
  const files = filesBelow("scripts");
  expect(files).toContain("scripts/paths.mjs");
  expect(files).toEqual(files.slice().sort());
  for (const file of files) expect(existsSync(at(file))).toBe(true);
});
