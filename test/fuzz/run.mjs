/**
 * Gives changed files to everything that reads files, and watches what happens.
 *
 *   npm run fuzz                                  a million inputs for each campaign, fewer where one takes long
 *   npm run fuzz -- --seconds 5                   short form, for every change
 *   npm run fuzz -- --campaign images --count 1000 --seed 7
 *
 * What ever failed is in corpus/, and is tried first. With LORIKEET_PYTHON (or --python) the answers are compared with those of Python's
 * libraries. Prints a table and writes build/reliability/fuzz.json. Ends with an error if any input failed. Run `node scripts/build.mjs`
 * before.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { campaignNames, caseOf, load } from "./campaigns.mjs";
import { keep, minimized, readCorpus } from "./corpus.mjs";
import { referencesOf } from "./reference.mjs";
import { watch } from "./watch.mjs";

const { values: flags } = parseArgs({
  options: {
    campaign: { type: "string" },
    count: { type: "string", default: "1000000" },
    seconds: { type: "string" },
    seed: { type: "string", default: "1" },
    python: { type: "string", default: process.env.LORIKEET_PYTHON ?? "" },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  },
});
const output = fileURLToPath(new URL("../../build/reliability/fuzz.json", import.meta.url));
const MEMORY = 256e6;
/** Inputs that end their process are made smaller in so many tries: each takes a process. */
const TRIES = 16;
const seed = Number(flags.seed);
const references = flags.python ? referencesOf(flags.python) : {};
const chosen = flags.campaign?.split(",") ?? campaignNames();

async function runCampaign(name) {
  const campaign = await load(name);
  const { memory = MEMORY, share = 1 } = campaign;
  const row = { campaign: name, cases: 0, crashes: 0, wrongAccepts: 0, hangs: 0, memory: 0, otherBits: 0 };
  const more = { accepted: 0, refused: 0, compared: 0, stricter: 0 };
  const python = references[name] ? flags.python : "";
  const fail = ({ index, column, message, place = "", files = null }) => {
    row[column]++;
    const kept = files && keep(name, column, files);
    if (files !== null || index < 0)
      console.error(`  ${name}: ${column} at ${index}: ${message} ${place}${kept ? `\n    kept in ${kept}` : ""}`);
  };
  const began = performance.now();
  const count = Math.ceil(Number(flags.count) * share);
  for (let from = 0; ; ) {
    const left = flags.seconds ? Number(flags.seconds) - (performance.now() - began) / 1000 : null;
    if (left !== null && left <= 0) break;
    let last = { cases: 0 };
    const heard = (message) => {
      if (message.failure) fail({ ...message.failure, files: message.failure.files && decoded(message.failure.files) });
      if (message.counts) last = message.counts;
      if (message.note) console.error(`  ${name}: ${message.note}`);
    };
    const task = { campaign: name, seed, from, count, seconds: left, python };
    const ended = await watch(task, { memory, heard });
    row.cases += ended === null ? last.cases : Math.max(last.cases, ended.index + 1 - from);
    for (const key of Object.keys(more)) more[key] += last[key] ?? 0;
    if (ended === null) break;
    await confirm(name, campaign, ended, { memory, fail });
    from = Math.max(ended.index, 0) + 1;
  }
  return { ...row, ...more, reference: references[name] ?? null, seed };
}

/** An input that ended its process is tried alone, and kept in a smaller form if it does so again. */
async function confirm(name, campaign, { index, column, message }, { memory, fail }) {
  const again = async (files) => {
    const task = { campaign: name, seed, from: 0, count: 0, files: JSON.stringify(encoded(files)) };
    return (await watch(task, { memory, heard: () => {} }))?.column === column;
  };
  const files = index < 0 ? readCorpus(name)[-1 - index].files : caseOf(campaign, seed, index);
  if (await again(files)) fail({ index, column, message, files: await minimized(files, again, TRIES) });
  else console.error(`  ${name}: ${column} at ${index} (${message}) does not happen alone`);
}

function encoded(files) {
  return Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  );
}

function decoded(files) {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, new Uint8Array(Buffer.from(text, "base64"))]),
  );
}

function print(rows) {
  const columns = [
    "campaign",
    "cases",
    "refused",
    "compared",
    "crashes",
    "wrongAccepts",
    "hangs",
    "memory",
    "otherBits",
  ];
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  for (const line of lines)
    console.log(line.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join("  "));
}

const began = performance.now();
const rows = [];
const queue = [...chosen];
const worker = async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) rows.push(await runCampaign(name));
};
await Promise.all(Array.from({ length: Number(flags.jobs) }, worker));
rows.sort((a, b) => (a.campaign < b.campaign ? -1 : 1));
print(rows);
console.log(
  `${rows.reduce((sum, { cases }) => sum + cases, 0)} inputs in ${Math.round((performance.now() - began) / 1000)} s`,
);
const before = existsSync(output) ? JSON.parse(readFileSync(output, "utf8")) : [];
const others = before.filter(({ campaign }) => !chosen.includes(campaign));
mkdirSync(fileURLToPath(new URL(".", `file://${output}`)), { recursive: true });
writeFileSync(
  output,
  `${JSON.stringify(
    [...others, ...rows].sort((a, b) => (a.campaign < b.campaign ? -1 : 1)),
    null,
    2,
  )}\n`,
);
if (rows.some((row) => row.crashes + row.wrongAccepts + row.hangs + row.memory + row.otherBits > 0))
  process.exitCode = 1;
