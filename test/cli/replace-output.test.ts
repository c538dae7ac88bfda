import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { replaceOutput, samePlace } from "../../src/cli/replace-output.ts";
import type { Target } from "../../src/core/host.ts";
import { openFolder } from "../../src/runtime/node.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lorikeet-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (files: Record<string, string>) => async (target: Target) => {
  for (const [file, text] of Object.entries(files)) await target.write(file, [new TextEncoder().encode(text)]);
};
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(join(dir, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => lstatSync(join(dir, folder, file)).isFile())
      .map((file) => [file, readFileSync(join(dir, folder, file), "utf8")]),
  );

test("a reader finds the old folder until the new one is whole, and never parts of both", async () => {
  await replaceOutput(join(dir, "merged"), write({ "config.json": "old", "model.safetensors": "old" }));
  const reader = openFolder(join(dir, "merged"));
  await reader.read("model.safetensors", 0, 1);
  await replaceOutput(join(dir, "merged"), async (target) => {
    await write({ "config.json": "new" })(target);
    expect(contents("merged")).toEqual({ "config.json": "old", "model.safetensors": "old" });
    await write({ "model.safetensors": "newer" })(target);
  });
  expect(contents("merged")).toEqual({ "config.json": "new", "model.safetensors": "newer" });
  await expect(reader.read("model.safetensors", 1, 2)).rejects.toThrow(/was replaced while it was being read/);
  expect(readdirSync(dir)).toEqual(["merged"]);
});

test("what fails leaves the old folder; files of the user are kept, weights of before are not", async () => {
  mkdirSync(join(dir, "merged", "notes"), { recursive: true });
  for (const file of ["notes/a.txt", "README.md", "model-00001-of-00002.safetensors"])
    writeFileSync(join(dir, "merged", file), "mine");
  const failing = replaceOutput(join(dir, "merged"), async (target) => {
    await write({ "config.json": "half" })(target);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(existsSync(join(dir, "merged", "config.json"))).toBe(false);
  await replaceOutput(join(dir, "merged"), write({ "config.json": "new" }));
  expect(contents("merged")).toEqual({ "config.json": "new", "README.md": "mine", "notes/a.txt": "mine" });
});

test("a symbolic link goes on leading to the folder, whose contents are new", async () => {
  await replaceOutput(join(dir, "real"), write({ f: "old" }));
  symlinkSync("real", join(dir, "link"));
  await replaceOutput(join(dir, "link"), write({ f: "new" }));
  expect(lstatSync(join(dir, "link")).isSymbolicLink()).toBe(true);
  expect(contents("real")).toEqual({ f: "new" });
});

test("the same place is seen through links, spellings, and folders that do not exist yet", () => {
  mkdirSync(join(dir, "base"));
  symlinkSync("base", join(dir, "link"));
  expect(samePlace(join(dir, "link"), `${dir}/x/../base/`)).toBe(true);
  expect(samePlace(join(dir, "link", "new"), join(dir, "base", "new"))).toBe(true);
  expect(samePlace(join(dir, "base"), join(dir, "other"))).toBe(false);
});
