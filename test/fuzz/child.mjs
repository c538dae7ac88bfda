/**
 * Runs the inputs of one campaign. Writes the number of the input at hand to a file, for the process that watches; inputs of the
 * corpus have numbers below 0. Says what happened in lines of JSON.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import { caseOf, load } from "./campaigns.mjs";
import { minimized, readCorpus } from "./corpus.mjs";
import { outcomeOf } from "./outcome.mjs";
import { Reference } from "./reference.mjs";

const { campaign: name, seed, from, count, seconds, place, only, python } = JSON.parse(process.argv[2]);
const MOST_KEPT = 8;
const MINIMIZE = 400;
/** Inputs whose answers the reference is asked for at once. */
const BATCH = 100;

const campaign = await load(name);
const corpus = readCorpus(name);
const seen = new Map();
const counts = { cases: 0, accepted: 0, refused: 0, compared: 0, stricter: 0 };
const file = openSync(place, "r+");
const number = Buffer.alloc(16);
const reference = python && campaign.reference ? new Reference(python, name) : null;
let waiting = [];
let resident = 0;

function say(message) {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

/** `tries` tell the attempts to make an input smaller from one another. */
function at(index, tries = 0) {
  number.writeDoubleLE(index, 0);
  number.writeDoubleLE(tries, 8);
  writeSync(file, number, 0, 16, 0);
}

const inputOf = (index) => (index < 0 ? corpus[-1 - index].files : caseOf(campaign, seed, index));

async function each(index) {
  const files = inputOf(index);
  at(index);
  const outcome = await outcomeOf(campaign, files);
  counts.cases++;
  counts[outcome.accepted ? "accepted" : "refused"]++;
  if (outcome.column !== null) return failed(index, files, outcome);
  if (reference !== null) waiting.push({ index, files, outcome });
  if (waiting.length >= BATCH) await compare();
}

/** Takes the garbage of earlier inputs away, so that the memory of one can be seen. */
function collect() {
  if (process.memoryUsage.rss() > resident + 100e6) {
    globalThis.gc?.();
    resident = process.memoryUsage.rss();
  }
}

async function failed(index, files, { column, message, place, signature }) {
  const times = seen.get(signature) ?? 0;
  seen.set(signature, times + 1);
  const isNew = times === 0 && seen.size <= MOST_KEPT && index >= 0;
  let tries = 0;
  const same = async (tried) => {
    at(index, ++tries);
    return (await outcomeOf(campaign, tried)).signature === signature;
  };
  const small = isNew ? await minimized(files, same, campaign.tries ?? MINIMIZE) : null;
  say({ failure: { index, column, message, place, files: small && encoded(small) } });
}

async function compare() {
  const asked = waiting;
  waiting = [];
  const answers = await reference.ask(asked.map(({ files }) => files));
  for (const [i, answer] of answers.entries()) await judged(asked[i], answer);
}

async function judged({ index, files, outcome }, answer) {
  const column = verdict(outcome, answer);
  counts.compared++;
  if (!outcome.accepted && answer.accepted) {
    counts.stricter++;
    const kind = outcome.message.replaceAll(/\d+|"[^"]*"/g, "#").slice(0, 80);
    if (!seen.has(kind)) say({ note: `stricter than the reference: ${outcome.message.slice(0, 300)}` });
    seen.set(kind, 1);
  }
  if (column === null) return;
  const kind = `${column} ${String(answer.message)
    .replaceAll(/\d+|'[^']*'|"[^"]*"/g, "#")
    .slice(0, 60)}`;
  const times = seen.get(kind) ?? 0;
  seen.set(kind, times + 1);
  const isNew = times === 0 && index >= 0;
  let tries = 0;
  const same = async (tried) => {
    at(index, ++tries);
    const [there] = await reference.ask([tried]);
    return verdict(await outcomeOf(campaign, tried), there) === column;
  };
  const small = isNew ? await minimized(files, same, MINIMIZE) : null;
  const message = `the reference: ${answer.accepted ? `other: ${answer.digest} and not ${outcome.digest}` : answer.message}`;
  say({ failure: { index, column, message: message.slice(0, 600), place: "", files: small && encoded(small) } });
}

function verdict({ accepted, digest, column }, answer) {
  if (column !== null || answer.accepted === null) return null;
  if (accepted && !answer.accepted) return "wrongAccepts";
  const differ = accepted && digest !== null && answer.digest !== null && digest !== answer.digest;
  return differ ? "otherBits" : null;
}

function encoded(files) {
  return Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  );
}

await outcomeOf(campaign, campaign.seeds()[0]); // what is loaded on demand is there
say({ ready: true });
if (only !== undefined) {
  const files = only.path ? decodedFile(only.path) : inputOf(only.index);
  at(0);
  await outcomeOf(campaign, files);
} else {
  for (let i = 0; i < corpus.length && from === 0; i++) await each(-1 - i);
  const end = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  for (let index = from; index < count && performance.now() < end; index++) {
    await each(index);
    if (index % 256 === 255) {
      collect();
      say({ counts });
    }
  }
  if (waiting.length > 0) await compare();
}
reference?.end();
say({ counts, done: true });
process.exit(0);

function decodedFile(path) {
  const files = JSON.parse(readFileSync(path, "utf8"));
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, new Uint8Array(Buffer.from(text, "base64"))]),
  );
}
