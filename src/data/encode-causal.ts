/**
 * Rows for CAUSAL_LM. `labels` are aligned with `inputIds` as transformers has them: `labels[i]` is what position i - 1
 * should have predicted, and -100 where nothing is learnt; so the first label is never used.
 *
 *   text         what the tokenizer puts around a text, and the end-of-sequence token; all of it is learnt
 *   completion   prompt and completion as one text, and the end-of-sequence token; learnt from the completion on
 *   chat         the template's text, which has its own ends; what the assistant wrote is learnt
 *   tokens       as given; without labels all of it is learnt
 *   document     windows as long as allowed, each beginning as a text does; the last one ends as a text does
 */
import type { LabelledIds, Tokenizer } from "../text/tokenizer.ts";
import type { EncodeRowsOptions } from "./example.ts";
import type { Row } from "./rows.ts";

/** Windows of a plain text when neither the model nor the caller limits them. */
const DEFAULT_WINDOW = 512;

/** The sequences of a row (several for a document), what is wrong with it, or null for a kind that does not fit. */
export function encodeCausal(
  row: Row,
  tokenizer: () => Tokenizer,
  options: EncodeRowsOptions,
): LabelledIds[] | string | null {
  switch (row.kind) {
    case "tokens":
      return givenTokens(row.inputIds, row.labels ?? row.inputIds);
    case "text":
      return row.textPair === undefined ? [whole(ended(tokenizer().encode(row.text), tokenizer()))] : null;
    case "completion":
      return [completion(row.prompt, row.completion, tokenizer())];
    case "chat":
      return [tokenizer().encodeChat(row.messages, row.tools)];
    case "document":
      return windows(row.text, tokenizer(), options);
    default:
      return null;
  }
}

function givenTokens(inputIds: readonly number[], labels: readonly number[]): LabelledIds[] | string {
  if (labels.length === inputIds.length) return [{ inputIds: [...inputIds], labels: [...labels] }];
  return `"labels" has ${labels.length} numbers and "input_ids" ${inputIds.length}, they should be aligned`;
}

/** Tokenized as one text, so that the tokens are those of the words as a reader sees them. */
function completion(prompt: string, text: string, tokenizer: Tokenizer): LabelledIds {
  const joined = prompt + text;
  const { inputIds, labels } = tokenizer.encodeSpans(joined, [{ start: prompt.length, end: joined.length }]);
  const eos = ended(inputIds, tokenizer).slice(inputIds.length);
  return { inputIds: [...inputIds, ...eos], labels: [...labels, ...eos] };
}

function whole(inputIds: number[]): LabelledIds {
  return { inputIds, labels: inputIds };
}

/** With the end-of-sequence token, unless it is there already or the tokenizer has none. */
function ended(ids: readonly number[], { eosTokenId }: Tokenizer): number[] {
  return eosTokenId === null || ids.at(-1) === eosTokenId ? [...ids] : [...ids, eosTokenId];
}

/** A long text in windows of equal length. A last window of one token, from which nothing is learnt, is left out. */
function windows(text: string, tokenizer: Tokenizer, { contextLength, maxLength }: EncodeRowsOptions): LabelledIds[] {
  const length = maxLength ?? contextLength ?? DEFAULT_WINDOW;
  const opening = openingTokens(tokenizer);
  const body = ended(tokenizer.encode(text, { addSpecialTokens: false }), tokenizer);
  const step = Math.max(1, length - opening.length);
  const found: LabelledIds[] = [];
  for (let at = 0; at < body.length; at += step) found.push(whole([...opening, ...body.slice(at, at + step)]));
  return found.filter(({ inputIds }) => inputIds.length > 1);
}

/** What the tokenizer puts before a text, such as <s>. */
function openingTokens(tokenizer: Tokenizer): number[] {
  const [first] = tokenizer.encode("a", { addSpecialTokens: false });
  const around = tokenizer.encode("a");
  return around.slice(0, Math.max(0, around.indexOf(first!)));
}
