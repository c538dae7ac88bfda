/**
 * What a decoder-only language model is to continue, of a row that has the continuation or not: a prompt in front of its completion,
 * a conversation up to its last answer, with what the chat template writes in front of one.
 */
import { FormatError } from "../../core/errors.ts";
import { IGNORED } from "../../core/labels.ts";
import type { Message } from "../../text/chat.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { EncodeContext, Example } from "./example.ts";

/** Contents of rows that can be continued. */
export type PromptContent =
  | { readonly kind: "text"; readonly text: string; readonly textPair?: string | undefined }
  | { readonly kind: "document"; readonly text: string }
  | { readonly kind: "completion"; readonly prompt: string; readonly completion: string }
  | { readonly kind: "chat"; readonly messages: readonly Message[]; readonly tools: readonly unknown[] | null }
  | {
      readonly kind: "chatCompletion";
      readonly prompt: readonly Message[];
      readonly completion: readonly Message[];
      readonly tools: readonly unknown[] | null;
    }
  | { readonly kind: "instruction"; readonly system: string; readonly instruction: string; readonly output: string }
  | { readonly kind: "tokens"; readonly inputIds: readonly number[]; readonly labels?: readonly number[] | null };

interface Prompt {
  readonly ids: readonly number[];
  /** What the row says should follow. */
  readonly reference?: string;
  /** The same as ids. */
  readonly answer?: readonly number[];
}

/**
 * The prompt of a row as an example, whose labels are the answer where that is given as ids; what is wrong with it, or null for a row that has none. A prompt longer than
 * `maxLength` loses its beginning, so that what is written follows its end.
 */
export function causalPrompt(row: PromptContent, context: EncodeContext): Example | string | null {
  if (row.kind === "text" && row.textPair !== undefined) return null;
  const { ids, reference, answer = [] } = promptOf(row, context);
  const { maxLength = null, contextLength } = context;
  const kept = maxLength === null ? ids : ids.slice(-maxLength);
  if (contextLength !== null && kept.length >= contextLength)
    return `has a prompt of ${kept.length} tokens, the model's context is ${contextLength} and must hold one more; set maxLength to cut prompts at their beginning`;
  const inputIds = Int32Array.from(kept);
  return { inputIds, labels: Int32Array.from(answer), ...(reference !== undefined && { reference }) };
}

function promptOf(row: PromptContent, context: EncodeContext): Prompt {
  if (row.kind === "tokens") return tokensPrompt(row);
  const tokenizer = context.tokenizer();
  switch (row.kind) {
    case "text":
    case "document":
      return { ids: opened(row.text, tokenizer) };
    case "completion":
      return { ids: opened(row.prompt, tokenizer), reference: row.completion };
    case "chat":
      return chatPrompt(row.messages, row.tools, tokenizer);
    case "chatCompletion":
      return answered(row.prompt, row.completion, row.tools, tokenizer);
    case "instruction":
      return instructionPrompt(row, tokenizer);
  }
}

/** A text as a prompt: without the end-of-sequence token that some tokenizers put behind every text. */
function opened(text: string, tokenizer: Tokenizer): number[] {
  const ids = tokenizer.encode(text);
  if (ids.length > 0 && ids.at(-1) === tokenizer.eosTokenId) ids.pop();
  if (ids.length > 0) return ids;
  const begin = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  if (begin !== null) return [begin];
  throw new FormatError("is empty, and the tokenizer names no beginning-of-sequence token to start from");
}

/** A conversation up to its last turn, which is the answer if the assistant has it. */
function chatPrompt(messages: readonly Message[], tools: readonly unknown[] | null, tokenizer: Tokenizer): Prompt {
  const isAnswered = messages.at(-1)?.role === "assistant";
  const [asked, answer] = isAnswered ? [messages.slice(0, -1), messages.slice(-1)] : [messages, []];
  if (asked.length === 0) throw new FormatError("has nothing but an answer, expected a turn in front of it");
  return answered(asked, answer, tools, tokenizer);
}

function answered(
  asked: readonly Message[],
  answer: readonly Message[],
  tools: readonly unknown[] | null,
  tokenizer: Tokenizer,
): Prompt {
  const ids = tokenizer.applyChatTemplate(asked, { tools, addGenerationPrompt: true, tokenize: true });
  if (answer.length === 0) return { ids };
  const [only] = answer;
  const isText = answer.length === 1 && typeof only!.content === "string" && only!.tool_calls === undefined;
  return { ids, reference: isText ? (only!.content as string) : JSON.stringify(answer) };
}

function instructionPrompt(
  { system, instruction, output }: Extract<PromptContent, { kind: "instruction" }>,
  tokenizer: Tokenizer,
): Prompt {
  if (!tokenizer.hasChatTemplate) {
    const prompt = [system, instruction].filter((text) => text !== "").join("\n\n");
    return { ids: opened(`${prompt}\n\n`, tokenizer), reference: output };
  }
  const user = { role: "user", content: instruction };
  const asked = system === "" ? [user] : [{ role: "system", content: system }, user];
  return answered(asked, [{ role: "assistant", content: output }], null, tokenizer);
}

/** Ids up to the first that is learned after one that is not; all where labels mark no such place. */
function tokensPrompt({ inputIds, labels = null }: Extract<PromptContent, { kind: "tokens" }>): Prompt {
  const first = labels?.findIndex((label, i) => label !== IGNORED && labels[i - 1] === IGNORED) ?? -1;
  if (labels === null || first < 1) return { ids: inputIds };
  return { ids: inputIds.slice(0, first), answer: labels.slice(first).filter((label) => label !== IGNORED) };
}
