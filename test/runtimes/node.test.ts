import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("run.mjs", import.meta.url));

test.each(["node", "browser bundle in node"])("the built package loads, trains and saves a model: %s", (host) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, host], { encoding: "utf8" });
  expect(stdout + stderr).toMatch(new RegExp(`^ok +${host}: baseline \\d+\\.\\d+ -> \\d+\\.\\d+`));
  expect(status).toBe(0);
});

test("a host that was asked for by name and is not there is a failure, not a skip", () => {
  const env = { PATH: "", PATHEXT: "" };
  const { stdout, status } = spawnSync(process.execPath, [script, "deno"], { encoding: "utf8", env });
  expect(stdout).toContain("MISSING  deno: not installed");
  expect(status).toBe(1);
});
