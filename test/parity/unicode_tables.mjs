/**
 * Prints the tables of src/tokenizers/unicode/tables.ts: where what unicode_tables.py found differs from this engine.
 *
 *   node test/parity/unicode_tables.mjs tables.json
 */
import { readFileSync } from "node:fs";

const rust = JSON.parse(readFileSync(process.argv[2], "utf8"));
const IOTA = "\u0345";

function members(ranges) {
  const found = new Uint8Array(0x110000);
  for (const [first, last] of ranges) found.fill(1, first, last + 1);
  return found;
}

function print(name, holds) {
  let end = 0;
  const ranges = [];
  for (let point = 0; point < 0x110000; point++) {
    const isSurrogate = point >= 0xd800 && point < 0xe000;
    if (isSurrogate || !holds(point, String.fromCodePoint(point))) continue;
    if (ranges.length > 0 && ranges.at(-1)[1] === point - 1) ranges.at(-1)[1] = point;
    else ranges.push([point, point]);
  }
  const texts = ranges.map(([first, last]) => {
    const text = (first - end).toString(36) + (last > first ? `-${(last - first).toString(36)}` : "");
    end = last;
    return text;
  });
  console.log(`${name}: ${ranges.length} ranges\n${texts.join(" ")}\n`);
}

/** What the engine has and Rust has not, and the other way round. */
function compare(name, pattern, own = name) {
  const known = members(rust[own]);
  const matches = new RegExp(`^${pattern}$`, "u");
  print(name, (point, char) => known[point] === 0 && matches.test(char));
  print(`besides, Rust's ${name} only`, (point, char) => known[point] === 1 && !matches.test(char));
}

compare("AFTER_16", "\\p{Cn}");
compare("NOT_PUNCTUATION", "[\\p{P}!-/:-@[-`{-~]");
compare("NOT_NONSPACING", "\\p{Mn}");
compare("NOT_COMBINING", "\\p{M}");
compare("OTHER", "[\\p{Cc}\\p{Cf}\\p{Co}]");

const moves = members(rust.MOVES);
const decomposes = (form) => (point, char) => (rust[form][point] ?? char) !== char.normalize(form);
const reorders = (point, char) => {
  const ordered = (IOTA + char).normalize("NFD");
  return (Array.from(ordered).length === 2 && !ordered.startsWith(IOTA)) !== (moves[point] === 1);
};
const canonically = (point, char) => decomposes("NFD")(point, char) || reorders(point, char);
print("NOT_NORMALIZED", canonically);
print("NOT_NORMALIZED_COMPATIBLY", (point, char) => decomposes("NFKD")(point, char) && !canonically(point, char));
