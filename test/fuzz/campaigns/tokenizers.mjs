/** tokenizer.json: what is accepted turns texts into tokens and back. */
import { JsonTokenizer } from "../../../dist/tokenizers/json-tokenizer.js";
import { readJson } from "../../../dist/checkpoint/checkpoint.js";
import { golden, json, parsed, sourceOf } from "../seeds.mjs";

export const reference = true;
const FILE = "tokenizer.json";
const whole = ["byte-level", "sentence-piece", "unigram", "unigram-spaces", "word-piece"].map((name) => golden(`tokenizers/${name}.json`));
const unusual = Object.values(parsed(golden("tokenizers/unusual.json"))).flatMap((each) => (each?.tokenizer ? [json(each.tokenizer)] : []));

export const seeds = () => [...whole, ...unusual].map((bytes) => ({ [FILE]: bytes }));

const TEXTS = ["Hello, the cat's 123 <s>[MASK]\u00e9\u4e16\u{1f600}  x\ty", "", `${"a".repeat(300)}!`, "aaab ".repeat(40)];

export async function run(files) {
  const tokenizer = new JsonTokenizer(await readJson(sourceOf(files), FILE));
  for (const text of TEXTS) {
    const { ids } = tokenizer.encode(text, text, {});
    for (const id of ids) if (!Number.isInteger(id) || id < 0) throw new RangeError(`id ${id}`);
    tokenizer.decode(ids);
  }
}
