/** Which of transformers' fast tokenizer classes a folder is read as. */
import { UnsupportedError } from "../../core/errors.ts";
import { type Json, shownJson } from "../../core/python-json.ts";
import { classFacts } from "./class-facts.ts";
import type { JsonFields } from "./json.ts";

const PLAIN = "PreTrainedTokenizerFast";
/** The name that version 5 of transformers gives the plain class. */
const PLAIN_IN_VERSION_5 = "TokenizersBackend";

/**
 * By `tokenizer_class` of tokenizer_config.json, by the one of config.json, or by its `model_type`; the plain class when
 * there is no config.json either. `folder` is what messages call the folder.
 */
export function chooseClass(folder: string, config: JsonFields | null, modelConfig: JsonFields | null): string {
  const named = config?.tokenizer_class ?? modelConfig?.tokenizer_class ?? null;
  if (named !== null) {
    return fastClass(named, (name) => {
      const custom = config?.auto_map === undefined ? "" : ", whose code lies in the folder and is not run";
      return `${folder}: its tokenizer is a ${name}${custom}`;
    });
  }
  const type = modelConfig?.model_type ?? null;
  if (type === null) return PLAIN;
  const found = Object.entries(classFacts).find(
    ([, { modelTypes }]) => typeof type === "string" && modelTypes?.includes(type),
  );
  if (found !== undefined) return found[0];
  throw unsupported(
    `${folder}: no file names a "tokenizer_class", and models of type ${shownJson(type)} have no known one`,
  );
}

function fastClass(named: Json, describe: (name: string) => string): string {
  if (typeof named === "string") {
    for (const name of [`${named}Fast`, named]) {
      if (classFacts[name]?.inputNames !== undefined && Object.hasOwn(classFacts, name)) return name;
    }
    if (named === PLAIN_IN_VERSION_5) return PLAIN;
  }
  throw unsupported(describe(typeof named === "string" ? named : shownJson(named)));
}

function unsupported(what: string): UnsupportedError {
  const known = Object.keys(classFacts).filter((name) => classFacts[name]?.inputNames !== undefined);
  return new UnsupportedError(
    `${what}; expected one of ${known.join(", ")}. If its tokenizer.json says all there is to say, set ` +
      `"tokenizer_class" in tokenizer_config.json to "${PLAIN}"`,
  );
}
