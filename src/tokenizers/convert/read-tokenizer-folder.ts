/**
 * Reads the tokenizer of a folder as transformers' `AutoTokenizer.from_pretrained` reads it: tokenizer.json, or the files
 * of a slow tokenizer converted, with everything carried out that the files beside it say.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { readWhole } from "../../core/io/read-whole.ts";
import { type Json, parseJson, shownJson } from "../../core/python-json.ts";
import { Backend } from "./backend.ts";
import { chooseClass } from "./choose-class.ts";
import { classFacts } from "./class-facts.ts";
import { convertBpe } from "./convert-bpe.ts";
import { convertPieces } from "./convert-pieces.ts";
import { convertWords } from "./convert-words.ts";
import { type BackendSource, buildFastTokenizer, type FastTokenizer, needsSlow } from "./fast-tokenizer.ts";
import { isObject, type JsonFields } from "./json.ts";
import { type GivenSettings, readSettings, type SettingFiles } from "./settings.ts";
import { SlowTokenizer } from "./slow-tokenizer.ts";
import { contentOf } from "./special-tokens.ts";
import { type RawFiles, readVocabularyFiles } from "./vocabulary-files.ts";

/** A tokenizer, ready to be run: nothing else in the folder changes its tokens. */
export interface TokenizerFolder {
  /** The contents of tokenizer.json, as transformers would save it. */
  readonly tokenizer: JsonFields;
  /** The same as transformers runs it before it is saved, which differs in flags of added tokens that were set twice. */
  readonly running: JsonFields;
  /** The class of transformers that it is read as. */
  readonly tokenizerClass: string;
  /** Texts of the special tokens by name, such as "bos_token"; those that are set. */
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly additionalSpecialTokens: readonly string[];
  /** What the model is given; token types only when "token_type_ids" is named. */
  readonly modelInputNames: readonly string[];
  readonly paddingSide: "left" | "right";
  readonly truncationSide: "left" | "right";
  /** Tokens at most, null when no file says. */
  readonly modelMaxLength: number | null;
  readonly cleanUpTokenizationSpaces: boolean;
  /** Whether special tokens in a text are split like any other text. */
  readonly splitSpecialTokens: boolean;
  /** The contents of tokenizer_config.json and of config.json; empty where there is none. */
  readonly config: JsonFields;
  readonly modelConfig: JsonFields;
}

/** Throws FormatError when a file is damaged, UnsupportedError when a file or a setting cannot be honored. */
export async function readTokenizerFolder(source: Source): Promise<TokenizerFolder> {
  const [config, specialTokensMap, addedTokens, modelConfig] = [
    await readObject(source, "tokenizer_config.json"),
    await readObject(source, "special_tokens_map.json"),
    await readObject(source, "added_tokens.json"),
    await readObject(source, "config.json"),
  ];
  refuseUnhonored(source.name, config);
  const tokenizer = await readObject(source, "tokenizer.json", true);
  const name = chooseClass(source.name, config, modelConfig);
  const files: SettingFiles = { config, specialTokensMap, addedTokens, tokenizer };
  const convertsAnew = needsSlow(name, new Map(Object.entries(config ?? {})));
  if (tokenizer === null) await refuseTiktoken(source);
  const raw = tokenizer === null || convertsAnew ? await readRawFiles(source, name, tokenizer !== null) : null;
  const read = () => readSettings(files);
  const own: BackendSource = {
    read: tokenizer === null ? null : () => readBackend(source.name, tokenizer),
    slow: (given) => slowTokenizer(source.name, name, raw, given, tokenizer !== null),
    convert,
  };
  const built = buildFastTokenizer(name, own, read(), () => readSettings({ ...files, tokenizer: null }));
  return { ...describe(built), config: config ?? {}, modelConfig: modelConfig ?? {} };
}

function readBackend(folder: string, tokenizer: JsonFields): Backend {
  try {
    return Backend.read(tokenizer);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`"tokenizer.json" in ${folder} does not make a tokenizer: ${reason}`, { cause });
  }
}

/** Keys that change tokens in Python and are not carried out here. */
function refuseUnhonored(folder: string, config: JsonFields | null): void {
  for (const key of ["fast_tokenizer_files", "fix_mistral_regex", "gguf_file"]) {
    const value = config?.[key] ?? false;
    if (value !== false) {
      throw new UnsupportedError(
        `"${key}" in tokenizer_config.json of ${folder} is ${shownJson(value)}, which is not honored. ${wayOut(folder)}`,
      );
    }
  }
}

/** A tokenizer.model may hold tiktoken's ranks, a token and a number a line; tekken.json holds Mistral's. */
async function refuseTiktoken(source: Source): Promise<void> {
  const hasModel = await source.has("tokenizer.model");
  const start = hasModel
    ? await source.read("tokenizer.model", 0, Math.min(80, await source.size("tokenizer.model")))
    : null;
  const isRanks = start !== null && /^[A-Za-z0-9+/]+=* \d+\r?\n/.test(new TextDecoder().decode(start));
  const found = isRanks ? "tokenizer.model" : !hasModel && (await source.has("tekken.json")) ? "tekken.json" : null;
  if (found === null) return;
  throw new UnsupportedError(
    `${source.name} has no "tokenizer.json"; its "${found}" is a file of tiktoken, which is not converted. ` +
      wayOut(source.name),
  );
}

/** The command that converts a folder, by its path if messages know it. */
function wayOut(folder: string): string {
  const path = /"(.+)"/.exec(folder)?.[1] ?? "FOLDER";
  return (
    'Write the tokenizer anew in Python: python -c "from transformers import AutoTokenizer; ' +
    `AutoTokenizer.from_pretrained('${path}').save_pretrained('${path}')"`
  );
}

/** The vocabulary files, where they are needed and there. */
async function readRawFiles(source: Source, name: string, hasJson: boolean): Promise<RawFiles | null> {
  const { vocab_file: vocab, merges_file: merges } = classFacts[name]?.files ?? {};
  if (vocab === undefined) return null;
  const pieces = vocab.endsWith(".model");
  // without tokenizer.json, transformers takes a tokenizer.model for whatever the class calls its own
  const named = pieces && !hasJson && (await source.has("tokenizer.model")) ? "tokenizer.model" : vocab;
  const wanted = [named, ...(merges === undefined ? [] : [merges])];
  for (const file of wanted) if (!(await source.has(file))) return null;
  const [first, second] = await Promise.all(
    wanted.map(async (file) => ({ name: file, bytes: await readWhole(source, file) })),
  );
  return { vocab: first!, merges: second ?? null };
}

function slowTokenizer(
  folder: string,
  name: string,
  raw: RawFiles | null,
  given: GivenSettings,
  hasJson: boolean,
): SlowTokenizer {
  const { slow, files = {} } = classFacts[name]!;
  if (slow === undefined || slow === "HerbertTokenizer") {
    throw new UnsupportedError(
      `${folder} has no "tokenizer.json", and a ${name} is not converted from other files. ${wayOut(folder)}`,
    );
  }
  if (raw === null) {
    const wanted = Object.values(files).map((file) => `"${file}"`);
    const asked = ["from_slow", "add_prefix_space"].find((key) => (given.settings.get(key) ?? null) !== null);
    throw new UnsupportedError(
      hasJson
        ? `${folder}: "${asked}" in tokenizer_config.json is set, so a ${name} is made from ${wanted.join(" and ")}, ` +
            "which is not there. Remove the key to read tokenizer.json as it is"
        : `${folder} has no "tokenizer.json", which says how text becomes tokens, and no ${wanted.join(" and ")} to ` +
            "make one of",
    );
  }
  return new SlowTokenizer(slow, readVocabularyFiles(slow, raw), given);
}

function convert(slow: SlowTokenizer): Backend {
  const { files } = slow;
  if (files.kind === "words") return convertWords(slow, files.vocab);
  return files.kind === "bpe" ? convertBpe(slow, files) : convertPieces(slow, files.model);
}

function describe({
  name,
  backend,
  special,
  settings,
}: FastTokenizer): Omit<TokenizerFolder, "config" | "modelConfig"> {
  const facts = classFacts[name]!;
  const side = (key: string, usual: "left" | "right") => {
    const value = settings.get(key) ?? usual;
    if (value === "left" || value === "right") return value;
    throw new FormatError(`tokenizer settings: "${key}" should be "left" or "right", found ${shownJson(value)}`);
  };
  const length = settings.get("model_max_length") ?? settings.get("max_len") ?? null;
  const names: unknown = settings.get("model_input_names") ?? facts.inputNames;
  if (!isNames(names)) {
    const found = shownJson(names);
    throw new FormatError(`tokenizer settings: "model_input_names" should be a list of names, found ${found}`);
  }
  const types = name === "CodeGenTokenizerFast" && settings.get("return_token_type_ids") === true;
  return {
    tokenizer: backend.toJson(),
    running: backend.toRunningJson(),
    tokenizerClass: name,
    specialTokens: Object.fromEntries([...special.named].map(([which, token]) => [which, contentOf(token)])),
    additionalSpecialTokens: special.additional.map(contentOf),
    modelInputNames: types ? [...names, "token_type_ids"] : [...names],
    paddingSide: side("padding_side", facts.paddingSide ?? "right"),
    truncationSide: side("truncation_side", "right"),
    modelMaxLength: typeof length === "number" && length < 1e20 ? length : null,
    cleanUpTokenizationSpaces: settings.get("clean_up_tokenization_spaces") === true,
    splitSpecialTokens: settings.get("split_special_tokens") === true,
  };
}

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string");

/**
 * A JSON object, or null when the file is not there. Large files are parsed by the engine's own parser first. Python reads NaN
 * and Infinity; Rust, which reads tokenizer.json, does not: `strict`.
 */
async function readObject(source: Source, file: string, strict = false): Promise<JsonFields | null> {
  if (!(await source.has(file))) return null;
  const what = `"${file}" in ${source.name}`;
  const text = decoded(await readWhole(source, file), what);
  const parse = (): Json => {
    try {
      return JSON.parse(text);
    } catch (cause) {
      const read = parseJson(text, what);
      if (strict) throw new FormatError(`${what} is not JSON: it has NaN or Infinity`, { cause });
      return read;
    }
  };
  const value = parse();
  if (isObject(value)) return value;
  throw new FormatError(`${what} should hold a JSON object`);
}

function decoded(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${what} is not UTF-8 text: the file is damaged`, { cause });
  }
}
