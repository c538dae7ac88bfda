/** Loads the tokenizer of a folder: what its files say is settled first, so that the tokenizer has nothing to ask. */
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource, type SourceLike } from "../checkpoint/open.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { type Json, parseJson } from "../core/python-json.ts";
import { readTokenizerFolder, type TokenizerFolder } from "../tokenizers/convert/read-tokenizer-folder.ts";
import { readChatTemplates } from "./chat-template-files.ts";
import { Tokenizer } from "./tokenizer.ts";

type JsonObject = Readonly<Record<string, Json>>;

/** The tokenizer of a folder: see `AutoTokenizer`. */
export async function loadTokenizer(from: SourceLike): Promise<Tokenizer> {
  const source = openSource(from);
  const folder = await readTokenizerFolder(source);
  if (folder.splitSpecialTokens) {
    throw new UnsupportedError(
      `"split_special_tokens" in tokenizer_config.json of ${source.name} is true, which is not honored: special tokens ` +
        "in a text are always found. Remove the key, or set it to false",
    );
  }
  const fallbacks = [await readObject(source, "generation_config.json"), folder.modelConfig];
  const chatTemplate = await readChatTemplates(source);
  const config = settledConfig(folder);
  const template = chatTemplate === null ? {} : { chatTemplate };
  return new Tokenizer(source.name, { tokenizer: folder.running, config, fallbacks, ...template });
}

/** tokenizer_config.json with the values that transformers' class for it arrives at. */
function settledConfig(folder: TokenizerFolder): JsonObject {
  return {
    ...folder.config,
    ...folder.specialTokens,
    additional_special_tokens: folder.additionalSpecialTokens,
    tokenizer_class: folder.tokenizerClass,
    model_input_names: folder.modelInputNames,
    model_max_length: folder.modelMaxLength,
    padding_side: folder.paddingSide,
    truncation_side: folder.truncationSide,
    clean_up_tokenization_spaces: folder.cleanUpTokenizationSpaces,
    split_special_tokens: folder.splitSpecialTokens,
  };
}

/** A JSON object, empty when the file is not there. */
async function readObject(source: Source, file: string): Promise<JsonObject> {
  if (!(await source.has(file))) return {};
  const value = parseJson(await readText(source, file), `"${file}" in ${source.name}`);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new FormatError(`"${file}" in ${source.name} should hold a JSON object`);
}
