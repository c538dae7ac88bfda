/**
 * Decoder-only language models. `labels` are aligned with `inputIds` as transformers has them: `labels[i]` is what position i - 1
 * should have predicted, and -100 where nothing is learned; so the first label is never used.
 *
 *   text         what the tokenizer puts around a text, and the end-of-sequence token; all of it is learned
 *   completion   prompt and completion as one text, and the end-of-sequence token; learned from the completion on
 *   chat         the template's text, which has its own ends; what the assistant wrote is learned
 *   chatCompletion   the same, learned from the completion on
 *   instruction  a conversation of two turns where the tokenizer has a template; else prompt, blank line and output
 *   tokens       as given; without labels all of it is learned
 *   document     windows as long as allowed, each beginning as a text does; the last one ends as a text does
 */
import { FormatError } from "../core/errors.ts";
import { countLabelled } from "../core/labels.ts";
import type { LabelledIds, Tokenizer } from "../text/tokenizer.ts";
import { defineRow, type RowOf } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";
import { type EncodeContext, type Example, outOfRange } from "./kit/example.ts";
import { type ChatContent, chatRow, conversationsRow } from "./rows/chat.ts";
import { type ChatCompletionContent, completionRow } from "./rows/completion.ts";
import { type InstructionContent, instructionRow } from "./rows/instruction.ts";
import { textRow } from "./rows/text.ts";
import { alignedLabels, tokensRow } from "./rows/tokens.ts";

export interface DocumentContent {
  readonly kind: "document";
  readonly text: string;
}

/** A whole .txt file. No row of JSON Lines is one. */
const documentRow = defineRow<DocumentContent>({
  kind: "document",
  title: "plain text",
  required: [],
  optional: [],
  shapes: [],
  isText: true,
});

const rows = [textRow, completionRow, chatRow, conversationsRow, instructionRow, tokensRow, documentRow];

export const task = defineTask({
  name: "CAUSAL_LM",
  taskType: "CAUSAL_LM",
  head: "languageModel",
  headModules: [],
  headOutsideAllLinear: false,
  stacks: ["decoder"],
  auto: "AutoModelForCausalLM",
  model: async () => (await import("../generate/generative-models.ts")).GenerativeCausalLM,
  rows,
  needs: '{"text"}, {"prompt", "completion"}, {"messages"}, {"instruction", "output"} or {"input_ids", "labels"?}',
  encode,
  prompt: async (row, context) => (await import("./kit/causal-prompt.ts")).causalPrompt(row, context),
  countLabels: (labels) => countLabelled(labels, 1),
  labelsAlign: "ids",
  labelsAreTokens: true,
  longest: (_model, { length }) => ({ inputIds: new Int32Array(length), labels: new Int32Array(length) }),
  present: async (context) => (await import("./kit/present-text.ts")).presentText(context),
});

type CausalRow = RowOf<(typeof rows)[number]>;

function encode(row: CausalRow, context: EncodeContext): Example[] | string | null {
  const encoded = sequencesOf(row, context);
  if (encoded === null || typeof encoded === "string") return encoded;
  const examples: Example[] = [];
  const learnsAll = context.trainOn === "all" && row.kind !== "tokens";
  for (const { inputIds, labels: answers } of encoded) {
    const labels = learnsAll ? inputIds : answers;
    const wrong = outOfRange(inputIds, labels, context.vocabSize) ?? tooLong(inputIds.length, context);
    if (wrong !== null) return wrong;
    const kept = context.maxLength ?? inputIds.length;
    examples.push({
      inputIds: Int32Array.from(inputIds.slice(0, kept)),
      labels: Int32Array.from(labels.slice(0, kept)),
    });
  }
  return examples;
}

/** The sequences of a row (several for a document), what is wrong with it, or null for a kind that does not fit. */
function sequencesOf(row: CausalRow, context: EncodeContext): LabelledIds[] | string | null {
  const { tokenizer } = context;
  switch (row.kind) {
    case "tokens": {
      const labels = alignedLabels(row);
      if (typeof labels === "string") return labels;
      return [{ inputIds: [...row.inputIds], labels: [...(labels ?? row.inputIds)] }];
    }
    case "text":
      return row.textPair === undefined ? [whole(ended(tokenizer().encode(row.text), tokenizer()))] : null;
    case "completion":
      return [completion(row.prompt, row.completion, tokenizer())];
    case "chat":
      if (context.trainOn === "all") return [whole(conversation(row, tokenizer()))];
      if (!row.messages.some(({ role }) => role === "assistant"))
        return 'has no turn of the "assistant" to learn from; `predict` and `generate` can continue it';
      return [tokenizer().encodeChat(row.messages, row.tools)];
    case "chatCompletion":
      return [chatCompletion(row, tokenizer())];
    case "instruction":
      return [instruction(row, tokenizer())];
    case "document":
      return windows(row.text, context);
  }
}

function tooLong(length: number, { contextLength, maxLength = null }: EncodeContext): string | null {
  if (maxLength !== null || contextLength === null || length <= contextLength) return null;
  const found = `has ${length} tokens, but the model's context is ${contextLength}`;
  return `${found}; set maxLength to truncate rows`;
}

/** Tokenized as one text, so that the tokens are those of the words as a reader sees them. */
function completion(prompt: string, text: string, tokenizer: Tokenizer): LabelledIds {
  const joined = prompt + text;
  const { inputIds, labels } = tokenizer.encodeSpans(joined, [{ start: prompt.length, end: joined.length }]);
  const eos = ended(inputIds, tokenizer).slice(inputIds.length);
  return { inputIds: [...inputIds, ...eos], labels: [...labels, ...eos] };
}

/** A conversation of which all after the prompt is learned: what the template writes in front of an answer is the prompt's. */
function chatCompletion({ prompt, completion, tools }: ChatCompletionContent, tokenizer: Tokenizer): LabelledIds {
  const first = tokenizer.applyChatTemplate(prompt, { tools, addGenerationPrompt: true });
  const text = tokenizer.applyChatTemplate([...prompt, ...completion], { tools });
  if (!text.startsWith(first))
    throw new FormatError("is written by the chat template so that the completion does not follow the prompt");
  return tokenizer.encodeSpans(text, [{ start: first.length, end: text.length }], { addSpecialTokens: false });
}

function instruction({ system, instruction, output }: InstructionContent, tokenizer: Tokenizer): LabelledIds {
  if (!tokenizer.hasChatTemplate) {
    const prompt = [system, instruction].filter((text) => text !== "").join("\n\n");
    return completion(`${prompt}\n\n`, output, tokenizer);
  }
  const turns = [
    { role: "user", content: instruction },
    { role: "assistant", content: output },
  ];
  return tokenizer.encodeChat(system === "" ? turns : [{ role: "system", content: system }, ...turns]);
}

function conversation({ messages, tools }: ChatContent, tokenizer: Tokenizer): number[] {
  return tokenizer.applyChatTemplate(messages, { tools, tokenize: true });
}

function whole(inputIds: number[]): LabelledIds {
  return { inputIds, labels: inputIds };
}

/** With the end-of-sequence token, unless it is there already or the tokenizer has none. */
function ended(ids: readonly number[], { eosTokenId }: Tokenizer): number[] {
  return eosTokenId === null || ids.at(-1) === eosTokenId ? [...ids] : [...ids, eosTokenId];
}

/** Windows of a plain text when neither the model nor the caller limits them. */
const DEFAULT_WINDOW = 512;

/** A long text in windows of equal length. A last window of one token, from which nothing is learned, is left out. */
function windows(text: string, { contextLength, maxLength, ...context }: EncodeContext): LabelledIds[] {
  const tokenizer = context.tokenizer();
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
