/** Shared by the examples with real data: separate packages, a progress line, tables, and a clean exit. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * The folder of an npm package that only the example in `folder` needs. If it is missing, it is installed according to
 * the example's own lock file.
 */
export function ownPackage(folder, name, size) {
  const found = join(folder, "node_modules", name);
  if (existsSync(join(found, "package.json"))) return found;
  const where = relative(".", folder) || ".";
  console.error(`${where} needs the npm package ${name} (${size}): npm ci`);
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.status === 0) return found;
  const reason = npm.error?.message ?? `exit code ${npm.status}`;
  console.error(`npm ci failed (${reason}). Run it in ${where} with a network connection, then start this again.`);
  process.exit(1);
}

let shown = 0;

/** One line on standard error that is overwritten; if standard error is not a terminal, a line every 10 seconds. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
  else if (performance.now() - shown > 10_000) {
    shown = performance.now();
    console.error(text);
  }
}

/** Clears the progress line before something else is printed. */
export function endProgress() {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
}

/** What the Trainer reports after each step, as progress. */
export const training =
  (what) =>
  ({ step, steps, loss, secondsLeft }) =>
    progress(`${what}: step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${secondsLeft.toFixed(0)} s left`);

/**
 * Exits immediately on Ctrl-C, with the matching exit code. Files are replaced atomically, so nothing is left half
 * written.
 */
export function endOnInterrupt() {
  process.once("SIGINT", () => {
    endProgress();
    console.error("interrupted");
    process.exit(130);
  });
}

/** Prints a Markdown table with its columns lined up: text on the left, numbers on the right. */
export function table(header, rows) {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column].length)));
  const line = (cells) => console.log(`| ${cells.join(" | ")} |`);
  const align = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
  endProgress();
  console.log();
  line(align(header));
  line(widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  for (const row of rows) line(align(row));
  console.log();
}

/** Makes the example fail at its end unless a claim holds. */
export function expect(holds, claim) {
  console.log(`${holds ? "holds" : "FAILS"}: ${claim}`);
  if (!holds) process.exitCode = 1;
}

/** Seconds since `began`, as `performance.now()` had it. */
export const secondsSince = (began) => (performance.now() - began) / 1000;
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
export const grouped = (count) => count.toLocaleString("en");
