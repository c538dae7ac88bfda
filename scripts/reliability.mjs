/**
 * npm run reliability: writes the tables of docs/reliability.md anew from build/reliability/*.json, which `npm run fuzz`, `npm run chaos`
 * and `npm run soak` leave there. What has not been run keeps its table.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { at } from "./paths.mjs";

const page = at("docs/reliability.md");
const FAILED = ["crashes", "wrongAccepts", "hangs", "memory", "otherBits"];

function results(name) {
  const file = at(`build/reliability/${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}

const grouped = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : value);

function table(columns, rows) {
  const line = (cells) => `| ${cells.map(grouped).join(" | ")} |`;
  const rule = columns.map((_, i) => (i === 0 ? "---" : "---:"));
  return [line(columns), line(rule), ...rows.map(line)].join("\n");
}

const tables = {
  fuzz: (rows) =>
    table(
      ["campaign", "inputs", "refused", "compared", ...FAILED, "reference"],
      rows.map((row) => [
        ...[row.campaign, row.cases, row.refused, row.compared, ...FAILED.map((key) => row[key])],
        row.compared > 0 ? row.reference : "",
      ]),
    ),
  chaos: (rows) =>
    table(
      ["campaign", "cases", ...FAILED],
      rows.map((row) => [row.campaign, row.cases, ...FAILED.map((key) => row[key])]),
    ),
  soak: ({ minutes, rounds, engineBytesGained, threadsLeft, megabytesGained, megabytesAnHour }) =>
    table(
      ["minutes", "rounds", "bytes gained in the engine", "threads left", "MB gained", "MB an hour, second half"],
      [[minutes, rounds, engineBytesGained, threadsLeft, megabytesGained, megabytesAnHour]],
    ),
};

let text = readFileSync(page, "utf8");
for (const [name, draw] of Object.entries(tables)) {
  const found = results(name);
  if (found === null) continue;
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = text.split(start);
  if (rest === undefined || !rest.includes(end)) throw new Error(`docs/reliability.md has no ${start} ... ${end}`);
  text = `${before}${start}\n\n${draw(found)}\n\n${end}${rest.split(end)[1]}`;
}
writeFileSync(page, text);
