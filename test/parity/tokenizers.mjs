/**
 * Compares tokenizers with Rust's, live: many strings with every case of tokenizer_cases.py.
 *
 *   node test/parity/tokenizers.mjs [--strings 600] [--seed N] [--python python] [--only model/] [--code-points]
 *
 * Run `node scripts/build.mjs` before. `--strings` is the number of strings per case; the seed is printed, and repeats a run.
 * `--code-points` takes every code point that can be assigned instead, some minutes for each few cases.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { JsonTokenizer } from "../../dist/tokenizers/json-tokenizer.js";

const { values } = parseArgs({
  options: {
    strings: { type: "string", default: "600" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    python: { type: "string", default: process.env.LORIKEET_PYTHON ?? "python3" },
    only: { type: "string", default: "" },
    "code-points": { type: "boolean", default: false },
  },
});
const BATCH = 200;
const MOST_SHOWN = 20;
let state = Number(values.seed);

/** The next random number below `below` (mulberry32). */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];
const WORDS = "the The and cat unknown thing ing st in don't we'll I'M 123 12 4567 a bb aaab over HTTPServer x y".split(
  " ",
);
const SIGNS = [
  ..."  \t\n\r\u00a0\u2003\u3000\u0085\u200b\u200d\ufeff\u0000\u0007\u007f\u00ad.,!?'\"-_()[]{}<>@#$%^&*+=|\\/~`",
];
const MARKS = [
  ..."\u0301\u0308\u0323\u0327\u0345\u0334\u05b0\u064b\u093c\u094d\u0e38\u302a\u3099\u20dd\ufe0f\u{1d165}",
];
const LETTERS = [..."éèüñßẞİıſΣσςǅﬁﬆﷺΐếơ̛①Ⅷ²½ａＡｶﾞアがは世界한각각акשםمरक्षไทย😀👩👧🏳🇩🇪𠀀𝒜𐐀"];
const SPECIALS = ["<s>", "</s>", "[MASK]", "thecat", " and ", "x y", "<0x41>", "##the", "▁", "▁▁", "Ġ", "世界"];
const BLOCKS = [
  ...[
    [0x20, 0x7e],
    [0xa0, 0x24f],
    [0x250, 0x36f],
    [0x370, 0x52f],
    [0x530, 0x7ff],
    [0x800, 0x109f],
    [0x10a0, 0x1fff],
  ],
  ...[
    [0x2000, 0x2bff],
    [0x2c00, 0x2fff],
    [0x3000, 0x33ff],
    [0x3400, 0x9fff],
    [0xa000, 0xabff],
    [0xac00, 0xd7ff],
  ],
  ...[
    [0xf900, 0xffff],
    [0x10000, 0x11fff],
    [0x12000, 0x1afff],
    [0x1b000, 0x1d7ff],
    [0x1d800, 0x1ffff],
    [0x20000, 0x33fff],
  ],
  [0xe0000, 0xe01ef],
];

function piece() {
  switch (random(11)) {
    case 0:
    case 1:
    case 2:
      return ` ${pick(WORDS)}`;
    case 3:
      return pick(WORDS);
    case 4:
      return pick(SIGNS);
    case 5:
      return pick(LETTERS) + (random(2) ? pick(MARKS) : "");
    case 6:
      return pick(MARKS);
    case 7:
      return pick(SPECIALS);
    case 8:
      return pick(LETTERS).repeat(1 + random(4));
    case 9:
      return `${pick(["👩", "🏳", "❤", "👍"])}${pick(["\u200d", "\ufe0f\u200d", "🏽"])}${pick(["👧", "🌈", "🔥"])}`;
    default: {
      const [first, last] = pick(BLOCKS);
      return String.fromCodePoint(first + random(last - first + 1));
    }
  }
}

function string() {
  const length = random(40) === 0 ? 200 : random(14);
  let text = "";
  for (let i = 0; i < length; i++) text += piece();
  return random(12) === 0 ? text.normalize(pick(["NFC", "NFD"])) : text;
}

/** A text, a pair, or words, for a tokenizer of this name. */
function input(name) {
  const pairs = /^(post-processor|truncation|padding)|bert$/.test(name) && random(2) === 0;
  if (random(10) === 0) return [Array.from({ length: random(5) }, string), null];
  return [string(), pairs ? string() : null];
}

/** All code points but those of planes that are empty or private, some to a text, with a letter behind each. */
function* everyCodePoint() {
  for (const [first, last] of [
    [0, 0xd7ff],
    [0xe000, 0x3347f],
    [0xe0000, 0xe0fff],
  ]) {
    for (let start = first; start <= last; start += 24) {
      const points = Array.from({ length: Math.min(24, last - start + 1) }, (_, i) => start + i);
      yield [points.map((point) => `${String.fromCodePoint(point)}e`).join(""), null];
      yield [String.fromCodePoint(...points), null];
    }
  }
}

/** As tokenizer_cases.py describes an encoding. */
function described(encoding) {
  return {
    ...{ ids: encoding.ids, offsets: encoding.offsets, words: encoding.words, tokens: encoding.tokens },
    ...{ types: encoding.typeIds, special: encoding.specialTokensMask, attention: encoding.attentionMask },
    ...{ sequences: encoding.sequenceIds, overflowing: encoding.overflowing.map(described) },
  };
}

function answer(tokenizer, [text, pair]) {
  const encoding = tokenizer.encode(text, pair);
  const decoded = tokenizer.decode(encoding.ids, { skipSpecialTokens: false });
  return { ...described(encoding), decoded, skipped: tokenizer.decode(encoding.ids, { skipSpecialTokens: true }) };
}

const script = fileURLToPath(new URL("tokenizer_cases.py", import.meta.url));
const python = spawn(values.python, [script, "serve"], { stdio: ["pipe", "pipe", "ignore"] });
const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
const reply = async () => {
  const { value, done } = await lines.next();
  if (done) throw new Error(`${values.python} ended: are tokenizers 0.22.2 installed there?`);
  return JSON.parse(value);
};

const only = values.only.split(",");
const cases = Object.entries(await reply()).filter(([name]) => only.some((start) => name.startsWith(start)));
const amount = values["code-points"] ? "every code point" : `${values.strings} strings`;
console.log(`seed ${values.seed}: ${amount} x ${cases.length} cases`);
let compared = 0;
let failed = 0;
const differing = new Map();
for (const [name, json] of cases) {
  const tokenizer = new JsonTokenizer(json);
  const all = values["code-points"]
    ? [...everyCodePoint()]
    : Array.from({ length: Number(values.strings) }, () => input(name));
  for (let at = 0; at < all.length; at += BATCH) {
    const inputs = all.slice(at, at + BATCH);
    python.stdin.write(`${JSON.stringify([name, inputs])}\n`);
    const answers = await reply();
    inputs.forEach((each, i) => {
      if (answers[i] === null) {
        failed++; // Rust fails; what is thrown here instead is not compared
        return;
      }
      compared++;
      const wrong = difference(tokenizer, each, answers[i]);
      if (wrong === null) return;
      differing.set(name, (differing.get(name) ?? 0) + 1);
      const total = [...differing.values()].reduce((sum, count) => sum + count, 0);
      if (differing.get(name) < 3 && total <= MOST_SHOWN * 3)
        console.log(`${name} ${JSON.stringify(each)}\n  ${wrong}`);
    });
  }
}
python.stdin.end();
for (const [name, count] of differing) console.log(`${name}: ${count} differ`);
console.log(
  `${compared} compared, ${failed} refused by Rust, ${[...differing.values()].reduce((a, b) => a + b, 0)} differ`,
);
process.exitCode = differing.size > 0 || compared === 0 ? 1 : 0;

/** What differs, in words, or null. */
function difference(tokenizer, each, expected) {
  let found;
  try {
    found = answer(tokenizer, each);
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
  const key = Object.keys(expected).find((part) => JSON.stringify(expected[part]) !== JSON.stringify(found[part]));
  if (key === undefined) {
    const ids = each[1] === null && typeof each[0] === "string" ? tokenizer.ids(each[0]) : null;
    const options = { truncation: null, padding: null };
    const own = ids === null ? null : tokenizer.encode(each[0], null, options).ids;
    return JSON.stringify(ids) === JSON.stringify(own) ? null : `ids without offsets: ${JSON.stringify(ids)}`;
  }
  return `${key}: ${JSON.stringify(found[key])?.slice(0, 300)}\n  Rust: ${JSON.stringify(expected[key])?.slice(0, 300)}`;
}
