/** tokenizer.json: what is accepted turns texts into tokens and back. */
import { AutoTokenizer } from "../../../dist/index.js";
import { golden, json, parsed } from "../seeds.mjs";

export const reference = true;
const FILE = "tokenizer.json";
const whole = ["byte-level", "sentence-piece", "unigram", "unigram-spaces", "word-piece"].map((name) =>
  golden(`tokenizers/${name}.json`),
);
const parts = goldenCases();

export const seeds = () => [...whole, ...parts].map((bytes) => ({ [FILE]: bytes }));

const TEXTS = [
  "Hello, the cat's 123 <s>[MASK]\u00e9\u4e16\u{1f600}  x\ty",
  "",
  `${"a".repeat(300)}!`,
  "aaab ".repeat(40),
];

/** Every part of the format, each with its model. */
function goldenCases() {
  const { models, cases } = parsed(golden("tokenizers/components.json"));
  return Object.values(cases).map(({ tokenizer }) =>
    json({ version: "1.0", added_tokens: [], ...tokenizer, model: models[tokenizer.model] }),
  );
}

export async function run(files) {
  const tokenizer = await AutoTokenizer.fromPretrained(files);
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text);
    for (const id of ids) if (!Number.isInteger(id) || id < 0) throw new RangeError(`id ${id}`);
    tokenizer.decode(ids);
  }
}
