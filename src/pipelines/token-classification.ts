/** Labels of tokens, and entities made of them, as transformers makes them. */
import { callOptions, camelKeys, expectArgument, listOf } from "../core/call-options.ts";
import { type Options, oneOf } from "../core/options.ts";
import { argmax, softmax } from "../core/scores.ts";
import type { PretrainedTokenizer } from "../text/auto-tokenizer.ts";
import { offsetsInUnits } from "../text/offsets.ts";
import { forEach, outputsOf, type PipelineModel } from "./loaded.ts";
import type { Entity, TokenClassificationOptions } from "./results.ts";
import { namesOf } from "./scores.ts";

const options = {
  aggregationStrategy: oneOf(["none", "simple", "first", "average", "max"], "none"),
  ignoreLabels: listOf("a list of labels", (value) => typeof value === "string"),
} satisfies Options;

export function tokenClassification(loaded: PipelineModel) {
  return async (texts: string | readonly string[], given: TokenClassificationOptions = {}) => {
    const asked = camelKeys(given) as TokenClassificationOptions;
    const { aggregationStrategy } = callOptions("token-classification", options, asked);
    const ignored = asked.ignoreLabels ?? ["O"];
    const isOne = !Array.isArray(texts);
    const found = await forEach(texts, isOne, (text: string) => {
      expectArgument("token-classification", "a text", text, typeof text === "string", "a text or a list of texts");
      const { tokens, names } = scored(loaded, text);
      const all =
        aggregationStrategy === "none"
          ? tokens.map((token) => ({ ...labelled(token, names), index: token.index }))
          : grouped(labelledWords(tokens, names, aggregationStrategy, loaded.tokenizer), loaded.tokenizer);
      return all.filter(({ entity, entity_group }: Entity) => !ignored.includes(entity ?? entity_group ?? ""));
    });
    return isOne ? found[0]! : found;
  };
}

/** A token with the probability of each class. */
interface ScoredToken {
  readonly word: string;
  readonly scores: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly index: number;
  /** Whether it continues a word. */
  readonly isSubword: boolean;
}

function scored(loaded: PipelineModel, text: string): { tokens: ScoredToken[]; names: readonly string[] } {
  const { tokenizer } = loaded;
  const { modelMaxLength: maxLength, truncatesLeft } = tokenizer;
  const direction = truncatesLeft ? ("Left" as const) : ("Right" as const);
  const cut = maxLength === null ? null : { maxLength, strategy: "LongestFirst" as const, stride: 0, direction };
  const encoding = tokenizer.tokens(text, null, cut);
  const rows = outputsOf(loaded, encoding);
  const places = offsetsInUnits(text, encoding);
  const tokens = encoding.ids.flatMap((id, index): ScoredToken[] => {
    if (encoding.specialTokensMask[index] === 1) return [];
    const [start, end] = places[index]!;
    const shown = text.slice(start, end);
    const token = encoding.tokens[index]!;
    const isUnknown = id === tokenizer.unkTokenId;
    const goesOn = tokenizer.marksSubwords
      ? Array.from(token).length !== Array.from(shown).length
      : start > 0 && !text.slice(start - 1, start + 1).includes(" ");
    const word = isUnknown ? shown : token;
    return [{ word, scores: Array.from(softmax(rows[index]!)), start, end, index, isSubword: goesOn && !isUnknown }];
  });
  return { tokens, names: namesOf(loaded.base, rows[0]?.length ?? 0) };
}

/** A token or word with its best class. */
interface LabelledWord {
  readonly entity: string;
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

function labelled({ scores, word, start, end }: ScoredToken, names: readonly string[]): LabelledWord {
  const best = argmax(scores);
  return { entity: names[best]!, score: scores[best]!, word, start, end };
}

/** Tokens, or with a strategy for words words, each with one class. */
function labelledWords(
  tokens: readonly ScoredToken[],
  names: readonly string[],
  strategy: "simple" | "first" | "average" | "max",
  tokenizer: PretrainedTokenizer,
): LabelledWord[] {
  if (strategy === "simple") return tokens.map((token) => labelled(token, names));
  const words: ScoredToken[][] = [];
  for (const token of tokens) {
    if (token.isSubword && words.length > 0) words.at(-1)!.push(token);
    else words.push([token]);
  }
  return words.map((parts) => {
    const scores = scoresOfWord(parts, strategy);
    const best = argmax(scores);
    const word = tokenizer.decodeTokens(parts.map((part) => part.word));
    return { entity: names[best]!, score: scores[best]!, word, start: parts[0]!.start, end: parts.at(-1)!.end };
  });
}

function scoresOfWord(parts: readonly ScoredToken[], strategy: "first" | "average" | "max"): readonly number[] {
  if (strategy === "first") return parts[0]!.scores;
  if (strategy === "average")
    return parts[0]!.scores.map((_, c) => parts.reduce((sum, { scores }) => sum + scores[c]!, 0) / parts.length);
  return parts[argmax(parts.map(({ scores }) => Math.max(...scores)))]!.scores;
}

/** Neighbors with one class as one entity; B- begins another. */
function grouped(words: readonly LabelledWord[], tokenizer: PretrainedTokenizer): Entity[] {
  const groups: LabelledWord[][] = [];
  for (const word of words) {
    const before = groups.at(-1)?.at(-1);
    const { begins, tag } = tagOf(word.entity);
    if (before !== undefined && tagOf(before.entity).tag === tag && !begins) groups.at(-1)!.push(word);
    else groups.push([word]);
  }
  return groups.map((group) => ({
    entity_group: group[0]!.entity.replace(/^[^-]*-/, ""),
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: tokenizer.decodeTokens(group.map(({ word }) => word)),
    start: group[0]!.start,
    end: group.at(-1)!.end,
  }));
}

function tagOf(entity: string): { begins: boolean; tag: string } {
  return { begins: entity.startsWith("B-"), tag: /^[BI]-/.test(entity) ? entity.slice(2) : entity };
}
