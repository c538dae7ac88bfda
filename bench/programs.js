/** The participating programs: Node versions, Python, this package. Missing ones are reported clearly and skipped. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const node24 = here("engines/node_modules/node/bin/node");

/**
 * The Node that a build is measured in: for baseline this one, for relaxed and wide the one of bench/engines, or this one with the
 * flag that Node 20 has relaxed SIMD behind. A command and its first arguments.
 */
export function nodeFor(build) {
  if (build === "baseline") return [process.execPath];
  if (existsSync(node24)) return [node24];
  return process.version.startsWith("v20.")
    ? [process.execPath, "--experimental-wasm-relaxed-simd"]
    : [process.execPath];
}

/** The versions of the participants, for the head of the page. */
export function versionOf([program, ...args]) {
  return spawnSync(program, [...args, "--version"], { encoding: "utf8" }).stdout.trim();
}

/** A Python with torch, transformers and peft, or null. */
export function findPython() {
  const candidates = [process.env.LORIKEET_PYTHON, here("../.venv/bin/python"), "python3"].filter(Boolean);
  const script = "import torch, transformers, peft";
  const found = candidates.find((python) => spawnSync(python, ["-c", script]).status === 0);
  if (!found) {
    const line = "#".repeat(100);
    console.log(
      `${line}\nSKIPPED: everything against PyTorch: none of ${candidates.join(", ")} has torch, transformers and`,
    );
    console.log(
      `peft. See test/parity/live.mjs for how to install them; LORIKEET_PYTHON names one elsewhere.\n${line}`,
    );
  }
  return found ?? null;
}

/** Runs a program to its end and returns its output. Throws an error with its error output. */
export function run([program, ...args]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error) throw error;
  if (status !== 0) throw new Error(lastWords(stderr) || `${args[0]} ended with ${status}`);
  return stdout;
}

/** The line of a program's error output that names an error, or the last line. */
export function lastWords(complaints) {
  const lines = complaints.trim().split("\n");
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
}

/** `lorikeet bench ...args --json` in the Node of a build. Returns what it found, or { missing } with the reason. */
export function lorikeetBench(build, threads, ...args) {
  const command = [...nodeFor(build), here("command.js"), ...args.map(String)];
  try {
    const found = JSON.parse(run([...command, "--build", build, "--threads", String(threads), "--json"]));
    if (found.threads === threads) return found;
    return { missing: `${threads} threads were requested, but it computes on ${found.threads}` };
  } catch (error) {
    return { missing: error.message };
  }
}
