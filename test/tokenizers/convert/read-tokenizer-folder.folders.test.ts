/**
 * Folders of every kind, read as transformers reads them. test/parity/tokenizer_folders.py built them and wrote down what
 * it makes of each. LORIKEET_TOKENIZER_FOLDERS names other folders, for a live comparison.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openFolder } from "../../../src/runtime/node.ts";
import { readTokenizerFolder, type TokenizerFolder } from "../../../src/tokenizers/convert/read-tokenizer-folder.ts";
import { GOLDEN } from "../../golden-files.ts";

const root = process.env.LORIKEET_TOKENIZER_FOLDERS ?? `${GOLDEN}/tokenizer-folders`;

type Expected = TokenizerFolder & { readonly specialIds: Readonly<Record<string, number>> };
type Refused = { readonly error: string };

function readExpected(name: string): Expected | Refused {
  return JSON.parse(readFileSync(`${root}/${name}/expected.json`, "utf8")) as Expected | Refused;
}

/** The numbers of the special tokens, by the vocabulary that was made. */
function idsOf({ tokenizer, specialTokens }: TokenizerFolder): Record<string, number | undefined> {
  const { added_tokens: added, model } = tokenizer as unknown as {
    added_tokens: { id: number; content: string }[];
    model: { vocab: Record<string, number> | [string, number][] };
  };
  const { vocab } = model;
  const idOf = (text: string) => {
    const own = added.find(({ content }) => content === text);
    if (own !== undefined) return own.id;
    return Array.isArray(vocab) ? vocab.findLastIndex(([piece]) => piece === text) : vocab[text];
  };
  return Object.fromEntries(Object.entries(specialTokens).map(([name, text]) => [name, idOf(text)]));
}

/** Scores without their last digit: Rust reads them from tokenizer.json with an error of one unit in the last place. */
function comparable(part: unknown): unknown {
  const { vocab, ...rest } = (part ?? {}) as { vocab?: [string, number][] };
  if (!Array.isArray(vocab)) return part;
  return { ...rest, vocab: vocab.map(([piece, score]) => [piece, score.toPrecision(15)]) };
}

const names = readdirSync(root).sort();

test("there are folders to compare", () => {
  expect(names.length).toBeGreaterThan(50);
});

test.each(names)("%s is read as transformers reads it", async (name) => {
  const expected = readExpected(name);
  const reading = readTokenizerFolder(openFolder(`${root}/${name}`));
  if ("error" in expected) {
    const refusal = await reading.then(
      () => "read",
      (error: Error) => error.name,
    );
    expect(["FormatError", "UnsupportedError"], expected.error).toContain(refusal);
    return;
  }
  const found = await reading;
  const { specialIds, tokenizer, ...settings } = expected;
  for (const [part, value] of Object.entries(tokenizer)) {
    expect(comparable(found.tokenizer[part]), part).toEqual(comparable(value));
  }
  expect({ ...found, tokenizer: null }).toMatchObject({
    tokenizer: null,
    tokenizerClass: settings.tokenizerClass,
    specialTokens: settings.specialTokens,
    additionalSpecialTokens: settings.additionalSpecialTokens,
    modelInputNames: settings.modelInputNames,
    paddingSide: settings.paddingSide,
    truncationSide: settings.truncationSide,
    modelMaxLength: settings.modelMaxLength,
    cleanUpTokenizationSpaces: settings.cleanUpTokenizationSpaces,
    splitSpecialTokens: settings.splitSpecialTokens,
  });
  expect(idsOf(found)).toEqual(specialIds);
});
