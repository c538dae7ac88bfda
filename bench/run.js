/**
 * npm run bench: measures every case of bench/cases and writes bench/RESULTS.md; raw samples go to bench/results/.
 *
 *   npm run bench -- [--only matmul,decode] [--quick] [--out FILE.md]
 *
 * --only and --quick (few rounds) print the page, and write it only to the file given with --out; pictures of curves go into a folder
 * beside it. `npm run bench:install` installs the peers and the Node with relaxed SIMD and merged vectors; what is missing is reported and
 * skipped. Takes about half an hour, with --quick about a third of that.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { keep } from "./harness.js";
import { processorLine, vectorsLine } from "./machine.js";
import { noiseLine } from "./noise.js";
import { findPython, here, nodeFor, run, versionOf } from "./programs.js";
import { instability, section } from "./report.js";

const { values: flags } = parseArgs({
  options: { only: { type: "string" }, quick: { type: "boolean", default: false }, out: { type: "string" } },
});
const all = readdirSync(here("cases")).map((file) => file.replace(/\.js$/, ""));
const names = flags.only?.split(",") ?? all;
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: the cases are ${all.join(", ")}`);

const out = flags.out ?? (flags.only || flags.quick ? null : here("RESULTS.md"));
const began = performance.now();
const seconds = () => `${((performance.now() - began) / 1000).toFixed(0)} s`;
const log = (text) => console.error(`${seconds().padStart(7)}  ${text}`);
const python = findPython();
if (nodeFor("relaxed")[0] === process.execPath)
  console.log("SKIPPED: Node 24 of bench/engines (npm run bench:install); this Node also measures relaxed and wide");
const noise = await noiseLine(flags.quick ? 5 : 15, log);
console.log(`\n${vectorsLine()}\n${noise}`);

const sections = [];
for (const name of names) {
  log(`== ${name}`);
  const { measure } = await import(`./cases/${name}.js`);
  const found = await measure({
    quick: flags.quick,
    page: out && resolve(out),
    rounds: (many, few = 1) => (flags.quick ? few : many),
    python,
    log,
  });
  keep(here(`results/${name}.json`), found);
  sections.push(section(found));
  console.log(`\n${sections.at(-1)}\n`);
  for (const row of found.rows ?? []) if (!row.missing && instability(row)) log(`${row.what}: ${instability(row)}`);
}

const page = `${[head(), ...sections].join("\n\n")}\n`;
if (out) writeFileSync(out, page);
log(out ? `written to ${out}` : "not written: use --out FILE.md to write it");

function head() {
  const commit = run(["git", "rev-parse", "--short", "HEAD"]).trim();
  return [
    "# What was measured",
    `Made by \`npm run bench\` in ${seconds()}${flags.quick ? " with --quick (few rounds)" : ""}; ${processorLine()}; commit ${commit}.`,
    vectorsLine(),
    noise,
    `The baseline build runs in node ${versionOf(nodeFor("baseline"))}, relaxed and wide in node ${versionOf(nodeFor("relaxed"))}. ` +
      "Contestants are warm processes that alternate, A B A B; ratios are medians over pairs of adjacent turns. Those with " +
      "float32 weights start from the same values and must reach the same losses; otherwise the case fails.",
  ].join("\n\n");
}
