/** npm run matrix: the tests that run a part of a long matrix every day, in full. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = readdirSync(fileURLToPath(new URL(".", import.meta.url)), { recursive: true })
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => /from "[./]*\/matrix\.ts"/.test(readFileSync(new URL(file, import.meta.url), "utf8")));
if (files.length === 0) throw new Error("no test has a long matrix");
const vitest = [fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url)), "run"];
const env = { ...process.env, LORIKEET_MATRIX: "full" };
const { status } = spawnSync(process.execPath, [...vitest, ...files.map((file) => `test/${file}`)], {
  ...{ cwd: root, env, stdio: "inherit" },
});
process.exitCode = status ?? 1;
