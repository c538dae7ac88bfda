/**
 * The wide build where V8 merges vectors: its kernels pass the tests of all kernels as merged code, engines make it and refuse it as they
 * say, and whole training runs give the bits of the relaxed build.
 *
 *   npm run wide
 *
 * Runs in this Node if it merges (23.5 and newer on x86), else in that of NODE, else in that of bench/engines, which it installs.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const MERGING = ["--experimental-wasm-revectorize", "--no-liftoff", "--no-wasm-lazy-compilation"];

if (process.arch !== "x64") {
  console.log(`SKIPPED: V8 merges vectors on x86 only, and this processor is ${process.arch}`);
  process.exit(0);
}
const node = mergingNode();
console.log(`node ${versionOf(node)}`);
const vitest = [at("node_modules/vitest/vitest.mjs"), "run", "--reporter=dot"];
run("kernels as merged code", [...vitest, "test/kernels"], { LORIKEET_TEST_FLAGS: MERGING.join(" ") });
run("engines", [...vitest, "test/runtime/wide-build.test.ts"]);
run("training", [at("test/wide/training.mjs")]);

function run(what, args, env = {}) {
  console.log(`--- ${what}`);
  const { status } = spawnSync(node, args, { cwd: at("."), stdio: "inherit", env: { ...process.env, ...env } });
  if (status === 0) return;
  console.log(`FAILED: ${what}`);
  process.exit(1);
}

function versionOf(program) {
  return spawnSync(program, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout?.trim() ?? "";
}

function merges(program) {
  return versionOf(program).localeCompare("23.5", "en", { numeric: true }) >= 0;
}

function mergingNode() {
  const installed = at("bench/engines/node_modules/node/bin/node");
  const found = () => [process.execPath, process.env.NODE, installed].find((program) => program && merges(program));
  if (found() === undefined && !existsSync(installed)) {
    console.log("installing the Node of bench/engines");
    spawnSync("npm", ["ci", "--prefix", at("bench/engines"), "--no-audit", "--no-fund"], { stdio: "inherit" });
  }
  const program = found();
  if (program === undefined) throw new Error("the wide build needs Node 23.5 or newer, and it could not be installed");
  return program;
}
