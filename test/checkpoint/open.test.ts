import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nameOf, openSource } from "../../src/checkpoint/open.ts";

const work = mkdtempSync(join(tmpdir(), "lorikeet-open-"));
const root = join(work, "runs");
mkdirSync(join(root, "mails"), { recursive: true });
const before = process.cwd();
beforeAll(() => process.chdir(work));
afterAll(() => {
  process.chdir(before);
  rmSync(work, { recursive: true });
});

test("a name is on the hub only where no path may be meant", () => {
  const named = (from: string) => openSource(from).name;
  expect(named("org/model")).toContain('model "org/model"');
  expect(named("gpt2")).toContain('model "gpt2"');
  expect(named("hf://runs/mails@v1")).toContain('model "runs/mails@v1"');
  for (const path of ["runs/mails", "runs/mials", "./org", "runs/mails/adapter", "runs"])
    expect(named(path)).toContain("folder");
  expect(() => openSource("hf://datasets/org/name")).toThrow("is not a model: expected hf://org/name");
});

test("an adapter keeps the name of a base on the hub without its address", () => {
  expect(nameOf("hf://org/model@v1")).toBe("org/model");
  expect(nameOf("runs/mials")).toBe("runs/mials");
});
