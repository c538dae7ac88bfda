/** Reads the vocabulary files of slow tokenizers. */
import { FormatError } from "../../core/errors.ts";
import { type Json, parseJson } from "../../core/python-json.ts";
import { isObject } from "./json.ts";
import { lines, words } from "./merges.ts";
import { readSentencePieceModel } from "./sentencepiece-model.ts";
import type { VocabularyFiles } from "./slow-tokenizer.ts";

/** Bytes of the files of a folder that a conversion needs, by the names that the class's arguments have. */
export interface RawFiles {
  readonly vocab: { readonly name: string; readonly bytes: Uint8Array };
  readonly merges: { readonly name: string; readonly bytes: Uint8Array } | null;
}

/** `name` is the slow class. Throws FormatError when a file is damaged. */
export function readVocabularyFiles(name: string, { vocab, merges }: RawFiles): VocabularyFiles {
  if (vocab.name.endsWith(".model")) {
    return { kind: "pieces", model: readSentencePieceModel(vocab.bytes, `"${vocab.name}"`) };
  }
  if (merges === null) return { kind: "words", vocab: readWords(decode(vocab)) };
  const ids = readVocabJson(decode(vocab), vocab.name);
  return { kind: "bpe", vocab: ids, merges: readMerges(name, decode(merges), merges.name, ids) };
}

function decode({ name, bytes }: { name: string; bytes: Uint8Array }): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`"${name}" is not UTF-8`, { cause });
  }
}

/** A word a line; the last of several equal ones counts. */
function readWords(text: string): Map<string, number> {
  const found = lines(text);
  if (found.at(-1) === "") found.pop();
  return new Map(found.map((word, id) => [word, id]));
}

function readVocabJson(text: string, name: string): Map<string, number> {
  const value: Json = parseJson(text, `"${name}"`);
  const entries = isObject(value) ? Object.entries(value) : [];
  if (entries.length === 0 || !entries.every(([, id]) => Number.isSafeInteger(id))) {
    throw new FormatError(`"${name}" should be an object of whole numbers by token`);
  }
  return new Map(entries as [string, number][]);
}

/** Pairs of parts, in the order in which they are merged; the first of several equal ones counts. */
function readMerges(name: string, text: string, file: string, ids: ReadonlyMap<string, number>): [string, string][] {
  const found = new Map<string, [string, string]>();
  for (const line of mergeLines(name, text)) {
    const [left, right, ...more] = words(line);
    if (left === undefined || right === undefined || more.length > 0) {
      throw new FormatError(
        `"${file}": a merge should be two parts with a blank between, found ${JSON.stringify(line)}`,
      );
    }
    const missing = [left, right, left + right].find((token) => !ids.has(token));
    if (missing !== undefined) {
      throw new FormatError(
        `"${file}": ${JSON.stringify(missing)} of ${JSON.stringify(line)} is not in the vocabulary`,
      );
    }
    const key = `${left} ${right}`;
    if (!found.has(key)) found.set(key, [left, right]);
  }
  return [...found.values()];
}

/** CLIP's file has merges that the model never learned: this many are read, and the version in front of them. */
const CLIP_LINES = 49152 - 256 - 2 + 1;

function mergeLines(name: string, text: string): string[] {
  const all = lines(text);
  if (name === "Qwen2Tokenizer") {
    return all.filter((line, i) => words(line).length > 0 && !(i === 0 && line.trim().startsWith("#version:")));
  }
  if (name === "CLIPTokenizer") return lines(text.trim()).slice(1, CLIP_LINES);
  return all.slice(1, -1);
}
