/**
 * The suite in every host that is installed: this Node, the one of bench/engines (or of NODE), Deno, Bun and Chromium.
 *
 *   node bench/hosts.js [--only node,deno] [--short] [--out FILE.json]
 *
 * Prints a table of the hosts. Hosts are looked for as test/runtimes/run.mjs does: in the variables DENO, BUN and CHROMIUM, then on the
 * path; missing ones are named and skipped. Less than two minutes each on a quiet machine, with --short some seconds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { inBrowser, installed, printed } from "../scripts/hosts.mjs";
import { keep } from "./harness.js";
import { here, nodeFor, versionOf } from "./programs.js";
import { UNSTABLE } from "./report.js";

const PATIENCE = 15 * 60_000;

/** A command and its first arguments by host, null where the host is not installed. */
function commands() {
  const relaxed = nodeFor("relaxed");
  const here20 = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];
  const other = process.env.NODE ? [process.env.NODE] : relaxed[0] === process.execPath ? null : relaxed;
  const [deno, bun] = [installed("DENO", "deno"), installed("BUN", "bun")];
  return {
    node: [process.execPath, ...here20],
    "another node": other && versionOf(other) !== process.version ? other : null,
    deno: deno && [deno, "run", "--allow-all"],
    bun: bun && [bun],
    chromium: installed("CHROMIUM", "chromium", "chromium-browser", "google-chrome"),
  };
}

/** Runs the suite in each; returns what each found, and { host, failed } with the reason for one that did not. */
export async function runHosts({ only = null, short = false, log }) {
  const all = commands();
  const unknown = (only ?? []).filter((name) => !Object.hasOwn(all, name));
  if (unknown.length > 0) throw new Error(`no host ${unknown.join()}, there is ${Object.keys(all).join(", ")}`);
  const found = [];
  for (const [host, command] of Object.entries(all)) {
    if (only !== null && !only.includes(host)) continue;
    if (command === null) {
      log(`SKIPPED: ${host} is not installed`);
      found.push({ host, failed: "not installed" });
      continue;
    }
    log(`the suite in ${host}`);
    try {
      const result = host === "chromium" ? await inChromium(command, short) : await inTerminal(command, short);
      log(`${result.host}: ${result.seconds.toFixed(0)} s`);
      found.push(result);
    } catch (error) {
      log(`FAILED: ${host}: ${error.message}`);
      found.push({ host, failed: error.message.split("\n")[0] });
    }
  }
  return found;
}

function inTerminal([program, ...args], short) {
  return printed(program, [...args, here("command.js"), "suite", "--json", ...(short ? ["--short"] : [])], PATIENCE);
}

async function inChromium(program, short) {
  const work = mkdtempSync(join(tmpdir(), "lorikeet-suite-"));
  try {
    const script = join(work, "page.js");
    const contents = `
      import { runSuite } from "./suite.js";
      runSuite({ short: ${short} }).then((found) => ({ found }), (e) => ({ error: String(e.stack) }))
        .then((body) => fetch("/found", { method: "POST", body: JSON.stringify(body) }));`;
    await build({
      ...{ stdin: { contents, resolveDir: here(".") }, outfile: script, bundle: true, format: "esm" },
      ...{ target: "es2022", logLevel: "warning", platform: "browser", conditions: ["browser"] },
    });
    return await inBrowser(program, { script, profile: join(work, "profile"), patience: PATIENCE, isolated: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A table in Markdown: a row for each figure, a column for each host; figures with a large spread have a mark. */
export function hostTable(found) {
  const hosts = found.filter(({ failed }) => failed === undefined);
  const keys = new Map();
  for (const { figures } of hosts) for (const figure of figures) keys.set(keyOf(figure), figure);
  const settings = [...new Set(Array.from(keys.values(), settingOf))];
  const lines = settings.flatMap((setting) =>
    Array.from(keys)
      .filter(([, figure]) => settingOf(figure) === setting)
      .map(([key, { name, unit }]) => {
        const cells = hosts.map(({ figures }) => shown(figures.find((figure) => keyOf(figure) === key)));
        return `| ${setting}: ${name}, ${unit} | ${cells.join(" | ")} |`;
      }),
  );
  return [
    `| | ${hosts.map(({ host }) => host).join(" | ")} |`,
    `| --- |${" ---: |".repeat(hosts.length)}`,
    ...lines,
  ].join("\n");
}

const settingOf = ({ build, threads }) => `${build}, ${threads === 1 ? "one thread" : `${threads} threads`}`;
const keyOf = (figure) => `${settingOf(figure)}: ${figure.name}`;

function shown(figure) {
  if (figure === undefined) return "";
  const { value, spread } = figure;
  const digits = value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  return spread > UNSTABLE ? `~${digits}` : digits;
}

/** What was not measured, and why: a line for each host. */
export function missingLines(found) {
  return found.flatMap(({ host, failed, missing }) => {
    if (failed !== undefined) return [`${host}: ${failed}`];
    return Object.entries(missing).map(([what, why]) => `${host}, ${what}: ${why}`);
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: flags } = parseArgs({
    options: {
      only: { type: "string" },
      short: { type: "boolean", default: false },
      out: { type: "string" },
    },
  });
  const log = (text) => console.error(text);
  const found = await runHosts({ only: flags.only?.split(",") ?? null, short: flags.short, log });
  console.log([hostTable(found), ...missingLines(found)].join("\n"));
  if (flags.out) keep(flags.out, found);
}
