/**
 * The kinds of rows in a JSON Lines file, told apart by their keys:
 *
 *   {"text"}                              a text: learn all of it
 *   {"text", "text_pair"?, "label"}       a text or a pair with its class, classes or value
 *   {"prompt", "completion"}              learn the completion
 *   {"messages", "tools"?}                a conversation: learn what the assistant says
 *   {"source", "target"}                  learn the target, given the source
 *   {"tokens", "labels"}                  words with a class each
 *   {"question", "context", "answers"}    where in the context the answer stands, as in SQuAD
 *   {"input_ids", "labels"? or "label"?}  tokens as they are; -100 in "labels" is not learnt
 *   {"image", "label"}                    a PNG or JPEG file, by its path from the data file
 *   {"pixel_values", "label"}             numbers as the model takes them, [C][H][W] or flat
 *
 * Any row may have a whole number "task_id". Other keys are ignored.
 */
import { parsePythonJson } from "../core/python-json.ts";
import { didYouMean } from "../core/similar.ts";
import type { Message } from "../text/chat.ts";

/** A class by name or number, several of them, or a value or values, as written in a row. */
export type Label = string | number | readonly (string | number)[];

/** An answer as it is written, and the place of its first character (counted in code points, as Python does). */
export interface Answer {
  readonly text: string;
  readonly start: number;
}

/** What is in a row, without where it stands. */
export type RowContent = { readonly taskId?: number } & (
  | { readonly kind: "text"; readonly text: string; readonly textPair?: string; readonly label?: Label }
  | { readonly kind: "document"; readonly text: string }
  | { readonly kind: "completion"; readonly prompt: string; readonly completion: string }
  | { readonly kind: "chat"; readonly messages: readonly Message[]; readonly tools: readonly unknown[] | null }
  | { readonly kind: "source"; readonly source: string; readonly target: string }
  | { readonly kind: "words"; readonly words: readonly string[]; readonly labels: readonly (string | number)[] | null }
  | {
      readonly kind: "question";
      readonly question: string;
      readonly context: string;
      readonly answers: Answer[] | null;
    }
  | {
      readonly kind: "tokens";
      readonly inputIds: readonly number[];
      readonly labels: readonly number[] | null;
      readonly tokenTypes?: readonly number[];
      readonly label?: Label;
    }
  | { readonly kind: "image"; readonly file: string; readonly label?: Label }
  | {
      readonly kind: "pixels";
      readonly pixels: Float32Array;
      readonly shape: readonly number[];
      readonly label?: Label;
    }
);

type JsonRow = Readonly<Record<string, unknown>>;

/** How rows are written, for messages. */
export const SHAPES: readonly string[] = [
  '{"text"}',
  '{"text", "text_pair"?, "label"}',
  '{"prompt", "completion"}',
  '{"messages", "tools"?}',
  '{"source", "target"}',
  '{"tokens": [words], "labels"}',
  '{"question", "context", "answers"}',
  '{"input_ids", "labels"? or "label"?}',
  '{"image": path, "label"}',
  '{"pixel_values", "label"}',
];
/** Keys of which each belongs to one kind of row, and what reads it. All keys of the kind must be there. */
const KINDS: readonly { keys: readonly string[]; read: (row: JsonRow) => RowContent | string }[] = [
  { keys: ["text"], read: readText },
  { keys: ["prompt", "completion"], read: readCompletion },
  { keys: ["messages"], read: readChat },
  { keys: ["source", "target"], read: readSource },
  { keys: ["tokens"], read: readWords },
  { keys: ["question", "context"], read: readQuestion },
  { keys: ["input_ids"], read: readTokens },
  { keys: ["image"], read: readImage },
  { keys: ["pixel_values"], read: readPixels },
];
const MARKS = KINDS.flatMap(({ keys }) => keys);

/** One line of a file as a row, or what is wrong with it. */
export function readRow(text: string): RowContent | string {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    return `not JSON: ${cause instanceof Error ? cause.message : cause}`;
  }
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return `should be a JSON object, found ${kindOf(row)}`;
  return readKind("messages" in row ? { ...row, ...conversation(text) } : (row as JsonRow));
}

/** What a template prints as Python does: floats, integers beyond 2^53 and the order of keys are kept. */
function conversation(text: string): JsonRow {
  const { messages, tools = null } = parsePythonJson(text) as JsonRow;
  return { messages, ...(tools !== null && { tools }) };
}

function readKind(row: JsonRow): RowContent | string {
  const marks = MARKS.filter((key) => key in row);
  const kinds = KINDS.filter(({ keys }) => keys.some((key) => key in row));
  if (kinds.length === 0) return withoutMarks(Object.keys(row));
  const [kind] = kinds;
  if (kinds.length > 1 || kind === undefined) {
    return `has ${marks.map((key) => `"${key}"`).join(" and ")}, which belong to different kinds of rows`;
  }
  const missing = kind.keys.find((key) => !(key in row));
  if (missing !== undefined) return `has "${marks[0]}" without "${missing}"`;
  const { task_id: taskId = null } = row;
  if (taskId === null) return kind.read(row);
  if (!isWhole(taskId)) return `"task_id" should be a whole number of 0 or more, found ${kindOf(taskId)}`;
  const content = kind.read(row);
  return typeof content === "string" ? content : { ...content, taskId };
}

function withoutMarks(keys: readonly string[]): string {
  const found = keys.length === 0 ? "has no keys" : `has only the keys ${keys.map((key) => `"${key}"`).join(", ")}`;
  return `${found}.${keys.map((key) => didYouMean(key, MARKS)).find((hint) => hint !== "") ?? ""}`;
}

/** The row with its "label", if it has one. */
function withLabel<T extends RowContent>(content: T, { label = null }: JsonRow): T | string {
  if (label === null) return content;
  return wrongLabel(label) ?? { ...content, label: label as Label };
}

/** What is wrong with a "label", or null. */
function wrongLabel(label: unknown): string | null {
  const plain = (value: unknown) => typeof value === "string" || (typeof value === "number" && Number.isFinite(value));
  if (plain(label)) return null;
  const expected = '"label" should be a name, a number, or a list of names or of numbers';
  if (!Array.isArray(label)) return `${expected}, found ${JSON.stringify(label).slice(0, 40)}`;
  const one = label.every((each) => plain(each) && typeof each === typeof label[0]);
  return one ? null : `${expected}, found a list of other things`;
}

function readText(row: JsonRow): RowContent | string {
  const { text, text_pair: textPair = null } = row;
  if (typeof text !== "string") return notText(row, "text");
  if (textPair !== null && typeof textPair !== "string") return notText(row, "text_pair");
  return withLabel({ kind: "text", text, ...(textPair !== null && { textPair }) }, row);
}

function readCompletion(row: JsonRow): RowContent | string {
  const { prompt, completion } = row;
  if (typeof prompt !== "string") return notText(row, "prompt");
  if (typeof completion !== "string") return notText(row, "completion");
  return { kind: "completion", prompt, completion };
}

function readSource(row: JsonRow): RowContent | string {
  const { source, target } = row;
  if (typeof source !== "string") return notText(row, "source");
  if (typeof target !== "string") return notText(row, "target");
  return { kind: "source", source, target };
}

function readChat({ messages, tools = null }: JsonRow): RowContent | string {
  if (!Array.isArray(messages) || messages.length === 0)
    return `"messages" should be a list of messages, found ${kindOf(messages)}`;
  if (tools !== null && !Array.isArray(tools)) return `"tools" should be a list, found ${kindOf(tools)}`;
  for (const [i, message] of messages.entries()) {
    const role = message?.role;
    if (typeof role !== "string") return `"messages"[${i}] should be an object with a "role", found ${kindOf(message)}`;
    if (!("content" in message) && !("tool_calls" in message)) return `"messages"[${i}] (${role}) has no "content"`;
  }
  if (!messages.some((message) => message.role === "assistant"))
    return '"messages" has no turn of the "assistant" to learn from';
  return { kind: "chat", messages, tools };
}

function readWords(row: JsonRow): RowContent | string {
  const { tokens: words, labels = null } = row;
  if (!Array.isArray(words) || words.length === 0) return `"tokens" should be a list of words, found ${kindOf(words)}`;
  const odd = words.findIndex((word) => typeof word !== "string");
  if (odd >= 0) return `"tokens"[${odd}] should be a word, found ${kindOf(words[odd])}`;
  if (labels === null) return { kind: "words", words, labels };
  if (!Array.isArray(labels)) return `"labels" should be a list, one for each word, found ${kindOf(labels)}`;
  if (labels.length !== words.length)
    return `"labels" has ${labels.length} entries and "tokens" ${words.length}, they should be aligned`;
  const wrong = labels.findIndex((label) => typeof label !== "string" && !isWhole(label) && label !== -100);
  if (wrong < 0) return { kind: "words", words, labels };
  return `"labels"[${wrong}] should be a name or a whole number of 0 or more, found ${kindOf(labels[wrong])}`;
}

/** SQuAD's two lists side by side, or one list of answers. None at all means that the context does not answer. */
function readQuestion(row: JsonRow): RowContent | string {
  const { question, context, answers = null } = row;
  if (typeof question !== "string") return notText(row, "question");
  if (typeof context !== "string") return notText(row, "context");
  if (answers === null) return { kind: "question", question, context, answers };
  const list = Array.isArray(answers) ? answers : sideBySide(answers as JsonRow);
  if (list === null) return '"answers" should be a list, or an object with equally long "text" and "answer_start"';
  const found: Answer[] = [];
  for (const [i, answer] of list.entries()) {
    const { text, answer_start: start } = (answer ?? {}) as JsonRow;
    if (typeof text !== "string" || !isWhole(start)) {
      return `"answers"[${i}] should have a "text" and a whole "answer_start", found ${JSON.stringify(answer)}`;
    }
    const there = Array.from(context)
      .slice(start, start + Array.from(text).length)
      .join("");
    if (there !== text) return `"answers"[${i}] is "${text}", but at character ${start} the context has "${there}"`;
    found.push({ text, start });
  }
  return { kind: "question", question, context, answers: found };
}

function sideBySide({ text, answer_start: starts }: JsonRow): unknown[] | null {
  if (!Array.isArray(text) || !Array.isArray(starts) || text.length !== starts.length) return null;
  return text.map((each, i) => ({ text: each, answer_start: starts[i] }));
}

function readTokens(row: JsonRow): RowContent | string {
  const { input_ids: inputIds, labels = null, token_type_ids: tokenTypes = null } = row;
  const wrong =
    wrongTokens("input_ids", inputIds, 0) ??
    (labels === null ? null : wrongTokens("labels", labels, -100)) ??
    (tokenTypes === null ? null : wrongTokens("token_type_ids", tokenTypes, 0));
  if (wrong !== null) return wrong;
  const ids = inputIds as number[];
  const types = tokenTypes as number[] | null;
  if (types !== null && types.length !== ids.length)
    return `"token_type_ids" has ${types.length} numbers and "input_ids" ${ids.length}, they should be aligned`;
  const given = { inputIds: ids, labels: labels as number[] | null, ...(types !== null && { tokenTypes: types }) };
  return withLabel({ kind: "tokens", ...given }, row);
}

function readImage(row: JsonRow): RowContent | string {
  const { image } = row;
  if (typeof image !== "string" || image === "") return `"image" should be a path, found ${kindOf(image)}`;
  return withLabel({ kind: "image", file: image }, row);
}

function readPixels(row: JsonRow): RowContent | string {
  const shape: number[] = [];
  for (let part: unknown = row.pixel_values; Array.isArray(part); part = part[0]) shape.push(part.length);
  const flat = Array.isArray(row.pixel_values) ? (row.pixel_values.flat(2) as unknown[]) : [];
  const count = shape.reduce((a, b) => a * b, 1);
  const even = (shape.length === 1 || shape.length === 3) && flat.length === count && count > 0;
  if (!even || !flat.every((v) => typeof v === "number")) {
    return '"pixel_values" should be numbers in equally long lists, [channels][height][width] or one flat list';
  }
  return withLabel({ kind: "pixels", pixels: Float32Array.from(flat as number[]), shape }, row);
}

/** What is wrong with a list of token numbers, of which `ignored` may be below 0, or null. */
function wrongTokens(key: string, ids: unknown, ignored: number): string | null {
  if (!Array.isArray(ids) || ids.length === 0)
    return `"${key}" should be a list of whole numbers, found ${kindOf(ids)}`;
  const at = ids.findIndex((id) => !Number.isInteger(id) || (id < 0 && id !== ignored));
  if (at < 0) return null;
  const wanted = ignored < 0 ? `0 or more, or ${ignored}` : "0 or more";
  return `"${key}"[${at}] should be a whole number of ${wanted}, found ${JSON.stringify(ids[at])}`;
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function notText(row: JsonRow, key: string): string {
  return `"${key}" should be a text, found ${kindOf(row[key])}`;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value).slice(0, 40)}`;
}
