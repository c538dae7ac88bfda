/**
 * What a model's files say about generation, under what the caller says. A value is, in this order:
 *
 *   1. the caller's
 *   2. that of generation_config.json; where it has none, of the generation keys of config.json, as in transformers
 *   3. with a generation_config.json, transformers' default where it changes which token is next: greedy, and top_k 50 when drawing
 *   4. the library's own default
 *
 * A key that this library has no equal for
 * is an error where its value would change the text; keys that change nothing but speed or the form of the output are passed over.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { completeOptions, type ValuesOf } from "../core/options.ts";
import type { RawConfig } from "../nn/config.ts";
import { generationOptions, idOrIds } from "./generation-options.ts";

/** A model's files. */
export interface GenerationSource {
  /** generation_config.json, null where there is none. */
  readonly generationConfig: RawConfig | null;
  /** config.json. */
  readonly config: RawConfig;
}

type Values = ValuesOf<typeof generationOptions>;

export interface GenerationSettings extends Values {
  readonly doSample: boolean;
  readonly stops: ReadonlySet<number>;
  /** Whether the most new tokens, not the most in all, is what limits the text. */
  readonly countsNew: boolean;
  /** The id that targets of an encoder-decoder begin from, where a file other than config.json says it. */
  readonly decoderStartTokenId: number | null;
}

/** Keys that have no equal here, with the values at which they change nothing. null is one of them always. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  guidance_scale: [1],
  num_beam_groups: [1],
  diversity_penalty: [0],
  penalty_alpha: [0],
  constraints: [],
  force_words_ids: [],
  watermarking_config: [],
  token_healing: [false],
  dola_layers: [],
  max_time: [],
};

/** Options that only drawing has. */
const drawing = ["temperature", "topK", "topP", "minP", "typicalP", "epsilonCutoff", "etaCutoff"] as const;
/** Options that no file has. */
const callers = ["seed", "numReturnSequences", "followGenerationConfig"];

const fileOptions = {
  ...Object.fromEntries(Object.entries(generationOptions).filter(([name]) => !callers.includes(name))),
  eosTokenId: idOrIds({}),
  decoderStartTokenId: idOrIds({}),
} as typeof generationOptions & Record<"eosTokenId" | "decoderStartTokenId", ReturnType<typeof idOrIds>>;

/** transformers' value of `max_length` where nobody gives one: that many new tokens. */
const DEFAULT_MAX_LENGTH = 20;

/** All that decides a text. Throws FormatError or UnsupportedError that names each option or key that cannot be followed. */
export function settingsOf(
  source: GenerationSource,
  given: Partial<Values> & { readonly eosTokenId?: number | readonly number[] | null },
): GenerationSettings {
  const { eosTokenId, ...own } = given;
  const isGiven = (name: keyof Values) => own[name] !== undefined;
  const mine = completeOptions("generate", generationOptions, own);
  const { values: found, isFile } = mine.followGenerationConfig ? filed(source) : { values: {}, isFile: false };
  const explicit = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const values: Values = { ...mine, ...optionsOf(found), ...explicit };
  const doSample = draws(values, isGiven, found, isFile);
  expectTogether(values, isGiven, doSample);
  const fileTopK = doSample && isFile && found.topK === undefined && !isGiven("topK") ? { topK: 50 } : {};
  return {
    ...{ ...values, ...fileTopK, ...lengthOf(values, isGiven, found) },
    doSample: doSample && values.temperature > 0,
    stops: new Set(
      [eosTokenId === undefined ? (found.eosTokenId ?? configEnd(source) ?? []) : (eosTokenId ?? [])].flat(),
    ),
    decoderStartTokenId: [found.decoderStartTokenId ?? []].flat()[0] ?? null,
  };
}

type Found = Partial<ValuesOf<typeof fileOptions>>;

/** What the files say, by the names of options. */
function filed({ generationConfig, config }: GenerationSource): { values: Found; isFile: boolean } {
  const isFile = generationConfig !== null;
  const name = isFile ? "generation_config.json" : "config.json";
  const raw: RawConfig = generationConfig ?? config;
  expectSupported(name, raw);
  const values: Record<string, unknown> = raw.top_k === null ? { topK: 0 } : {};
  for (const key of Object.keys(fileOptions)) {
    const value = raw[snakeCase(key)];
    if (value !== null && value !== undefined) values[key] = value;
  }
  completeOptions(name, fileOptions, values, { spell: snakeCase });
  return { values: values as Found, isFile };
}

function expectSupported(name: string, raw: RawConfig): void {
  const problems = Object.entries(unsupported).flatMap(([key, neutral]) => {
    const value = raw[key] ?? null;
    if (value === null || neutral.includes(value)) return [];
    const allowed = [...neutral.map((each) => JSON.stringify(each)), "null"].join(" or ");
    return `${name}: "${key}" is ${JSON.stringify(value)}, which is not supported, expected ${allowed}`;
  });
  if (problems.length === 0) return;
  const advice = "Change the file, or generate without it: followGenerationConfig: false (--no-generation-config)";
  throw new UnsupportedError([...problems, advice].join("\n"));
}

/** Those of the found values that are options. */
function optionsOf({ eosTokenId, decoderStartTokenId, ...options }: Found): Partial<Values> {
  return options;
}

/** Whether tokens are drawn. */
function draws(
  values: Values,
  isGiven: (name: keyof Values) => boolean,
  { doSample }: Found,
  isFile: boolean,
): boolean {
  if (isGiven("doSample") && values.doSample !== null) return values.doSample;
  if (isGiven("temperature")) return values.temperature > 0;
  if (drawing.some(isGiven)) return true;
  return doSample ?? !(isFile || values.numBeams > 1);
}

/** Options that only beam search has. */
const beams = ["lengthPenalty", "earlyStopping"] as const;

/** Throws FormatError for options that transformers refuses, or warns of, together. */
function expectTogether(values: Values, isGiven: (name: keyof Values) => boolean, doSample: boolean): void {
  const { numBeams, numReturnSequences, maxNewTokens, minNewTokens } = values;
  const told = (name: keyof Values) => `"${name}" is ${JSON.stringify(values[name])}`;
  const idle = (names: readonly (keyof Values)[]) =>
    names.find((name) => isGiven(name) && values[name] !== generationOptions[name].fallback);
  const problems: (string | false | null | undefined)[] = [
    values.doSample &&
      isGiven("doSample") &&
      values.temperature === 0 &&
      `"doSample" is true and ${told("temperature")}, which is greedy; give only one of them`,
  ];
  const unused =
    values.doSample === false && isGiven("doSample")
      ? idle(drawing.filter((name) => name !== "temperature" || values.temperature > 0))
      : undefined;
  if (unused) problems.push(`${told(unused)} and "doSample" is false: only sampling has it; leave one out`);
  const lonely = numBeams === 1 ? idle(beams) : undefined;
  if (lonely)
    problems.push(`${told(lonely)} and "numBeams" is 1: only beam search has it; leave it out, or give numBeams`);
  if (numBeams === 1 && numReturnSequences > 1 && !(doSample && values.temperature > 0))
    problems.push(
      `${told("numReturnSequences")} and the likeliest token is taken each time, which gives one text; sample (doSample: true), or give numBeams`,
    );
  if (numBeams > 1 && numReturnSequences > numBeams)
    problems.push(`${told("numReturnSequences")}, expected at most "numBeams", which is ${numBeams}`);
  if (isGiven("maxNewTokens") && isGiven("maxLength") && values.maxLength !== null)
    problems.push(`${told("maxNewTokens")} and ${told("maxLength")}: both limit the text; give one of them`);
  if (isGiven("minNewTokens") && isGiven("maxNewTokens") && (minNewTokens ?? 0) > maxNewTokens)
    problems.push(`${told("minNewTokens")}, expected at most "maxNewTokens", which is ${maxNewTokens}`);
  const found = problems.filter((problem) => typeof problem === "string");
  if (found.length > 0) throw new FormatError(found.map((problem) => `generate: ${problem}`).join("\n"));
}

/** How long a text may become: by the caller's words first, then by the file's. */
function lengthOf(
  { maxNewTokens, maxLength }: Values,
  isGiven: (name: keyof Values) => boolean,
  found: Found,
): Pick<GenerationSettings, "maxNewTokens" | "countsNew"> {
  if (isGiven("maxNewTokens")) return { maxNewTokens, countsNew: true };
  if (isGiven("maxLength") && maxLength !== null) return { maxNewTokens, countsNew: false };
  if (found.maxNewTokens !== undefined || maxLength === null) return { maxNewTokens, countsNew: true };
  const isDefault = maxLength === DEFAULT_MAX_LENGTH;
  return { maxNewTokens: isDefault ? DEFAULT_MAX_LENGTH : maxNewTokens, countsNew: isDefault };
}

/** The end that config.json names. */
function configEnd({ config }: GenerationSource): number | readonly number[] | null {
  return (config.eos_token_id as number | readonly number[] | null | undefined) ?? null;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
