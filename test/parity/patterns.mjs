/**
 * Compares random patterns with Oniguruma in Rust's tokenizers, live.
 *
 *   node test/parity/patterns.mjs [--patterns 4000] [--seed N] [--python python]
 *
 * Run `node scripts/build.mjs` before. Patterns that are refused here are counted, not compared.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compilePattern } from "../../dist/tokenizers/patterns/compile-pattern.js";

const { values } = parseArgs({
  options: {
    patterns: { type: "string", default: "4000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    python: { type: "string", default: process.env.LORIKEET_PYTHON ?? "python3" },
  },
});
const script = fileURLToPath(new URL("patterns.py", import.meta.url));
const args = [script, values.seed, values.patterns];
const { stdout, status } = spawnSync(values.python, args, { encoding: "utf8", maxBuffer: 2 ** 30 });
if (status !== 0) throw new Error(`${values.python} failed: are tokenizers 0.22.2 installed there?`);

const counts = { compared: 0, refused: 0, differ: 0 };
for (const [pattern, rows] of JSON.parse(stdout)) {
  if (rows === null) continue; // Rust refuses it
  const find = compiled(pattern);
  if (find === null) counts.refused++;
  else for (const [text, places] of rows) compare(pattern, find, text, places);
}
console.log(`seed ${values.seed}: ${JSON.stringify(counts)}`);
process.exitCode = counts.differ > 0 || counts.compared === 0 ? 1 : 0;

function compiled(pattern) {
  try {
    return compilePattern(pattern, "pattern");
  } catch (error) {
    if (error.name === "UnsupportedError") return null;
    throw error;
  }
}

function compare(pattern, find, text, places) {
  const matches = find(text);
  const chars = (unit) => Array.from(text.slice(0, unit)).length;
  const found = [];
  for (let m = 0; m < matches.length; m += 3) {
    if (matches[m] < matches[m + 1]) found.push([chars(matches[m]), chars(matches[m + 1])]);
  }
  counts.compared++;
  if (JSON.stringify(found) === JSON.stringify(places)) return;
  if (++counts.differ <= 10) console.log(pattern, JSON.stringify({ text, found, rust: places }));
}
