/**
 * Encoding against Rust's tokenizers on one thread, in turns: for each kind of tokenizer and of text, megabytes a second and
 * how many times as fast as Rust. "ids" is what training needs; "all" has offsets, words and masks, as Rust always makes.
 *
 *   node bench/tokenizers.bench.js [--python python3] [--rounds 5]
 *
 * Run `node scripts/build.mjs` before. The tokenizers are trained here, on the texts of this project: prose from its
 * documents, chats of their sentences, code from its sources. Python needs tokenizers 0.22.2.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { JsonTokenizer } from "../dist/tokenizers/json-tokenizer.js";
import { median } from "./statistics.js";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: process.env.LORIKEET_PYTHON ?? "python3" },
    rounds: { type: "string", default: "5" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const CHARS = 400_000;
const DOCUMENT = 2_000;

const read = (folders, ending) =>
  folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .filter((file) => !file.includes("node_modules") && !file.includes("generated")),
    )
    .sort()
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");

/** Pieces of one length, and of so many characters in all. */
function documents(text) {
  const whole = text.repeat(Math.ceil(CHARS / text.length)).slice(0, CHARS);
  return Array.from({ length: CHARS / DOCUMENT }, (_, i) => whole.slice(i * DOCUMENT, (i + 1) * DOCUMENT));
}

function chats(prose) {
  const sentences = prose.split(/(?<=[.!?])\s+/);
  const turn = (sentence, i) => {
    const role = i % 2 === 0 ? "user" : "assistant";
    return `<|start_header_id|>${role}<|end_header_id|>\n\n${sentence}<|eot_id|>`;
  };
  return sentences.map(turn).join("");
}

const prose = readFileSync(join(root, "README.md"), "utf8") + read(["docs"], ".md");
const texts = { prose: documents(prose), chats: documents(chats(prose)), code: documents(read(["src"], ".ts")) };
const folder = mkdtempSync(join(tmpdir(), "tokenizers-"));
for (const [kind, list] of Object.entries(texts)) writeFileSync(join(folder, `${kind}.json`), JSON.stringify(list));

const script = fileURLToPath(new URL("peers/rust_tokenizers.py", import.meta.url));
const python = spawn(values.python, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
const reply = async () => {
  const { value, done } = await lines.next();
  if (done) throw new Error(`${values.python} ended: are tokenizers 0.22.2 installed there?`);
  return JSON.parse(value);
};

/** Seconds, and tokens. */
function timed(encode, list) {
  const began = performance.now();
  let count = 0;
  for (const text of list) count += encode(text).length;
  return [(performance.now() - began) / 1000, count];
}

console.log(`${cpus()[0]?.model.trim()}, node ${process.version}`);
for (const name of await reply()) {
  const text = readFileSync(join(folder, `${name}.json`), "utf8");
  const began = performance.now();
  const tokenizer = new JsonTokenizer(JSON.parse(text));
  console.log(`${name}: ${(text.length / 1e6).toFixed(1)} MB load in ${(performance.now() - began).toFixed(0)} ms`);
  for (const [kind, list] of Object.entries(texts)) {
    const samples = { rust: [], ids: [], all: [] };
    for (let round = -1; round < Number(values.rounds); round++) {
      python.stdin.write(`${name} ${kind}\n`);
      const counts = {};
      const turn = (who, [seconds, count]) => {
        if (round >= 0) samples[who].push(seconds); // the first round fills caches
        counts[who] = count;
      };
      turn("rust", await reply());
      turn(
        "ids",
        timed((each) => tokenizer.ids(each), list),
      );
      turn(
        "all",
        timed((each) => tokenizer.encode(each), list),
      );
      if (counts.rust !== counts.ids || counts.rust !== counts.all)
        throw new Error(`${name}: ${JSON.stringify(counts)}`);
    }
    const [rust, ids, all] = Object.values(samples).map(median);
    const speed = (seconds) => (CHARS / 1e6 / seconds).toFixed(2).padStart(6);
    console.log(
      `  ${kind.padEnd(5)} MB/s: Rust ${speed(rust)}, ids ${speed(ids)} (${(rust / ids).toFixed(2)}x), ` +
        `all ${speed(all)} (${(rust / all).toFixed(2)}x)`,
    );
  }
}
python.stdin.end();
rmSync(folder, { recursive: true });
