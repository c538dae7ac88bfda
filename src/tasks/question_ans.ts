/**
 * Answers to questions as spans of a context: [CLS] question [SEP] context [SEP], of which only the context is cut, and the
 * positions of the first and last token of the first answer. A question without an answer, or whose answer was cut off, has the
 * position of [CLS] twice. A context is cut once, not spread over several examples.
 */
import { shownJson } from "../core/python-json.ts";
import type { Offsets } from "../text/offsets.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { defineRow, isWhole, type JsonRow, notTexts, type RowOf } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";
import { type EncodeContext, type Example, inputOf, lengthLimit } from "./kit/example.ts";

/** An answer as it is written, and the place of its first character (counted in code points, as Python does). */
export interface Answer {
  readonly text: string;
  readonly start: number;
}

export interface QuestionContent {
  readonly kind: "question";
  readonly question: string;
  readonly context: string;
  /** None at all when the context does not answer, null where the row does not say. */
  readonly answers: readonly Answer[] | null;
}

/** Where in the context the answer stands, as in SQuAD: its two lists side by side, or one list of answers. */
const questionRow = defineRow<QuestionContent>({
  kind: "question",
  title: "a question with its context",
  required: ["question", "context"],
  optional: ["answers"],
  texts: ["question", "context"],
  shapes: ['{"question", "context", "answers"}'],
  isText: true,
  read(row) {
    const wrong = notTexts(row, "question", "context");
    if (wrong !== null) return wrong;
    const { question, context, answers = null } = row as { question: string; context: string; answers?: unknown };
    if (answers === null) return { kind: "question", question, context, answers };
    const list = Array.isArray(answers) ? answers : sideBySide(answers as JsonRow);
    if (list === null) return '"answers" should be a list, or an object with equally long "text" and "answer_start"';
    const found: Answer[] = [];
    for (const [i, each] of list.entries()) {
      const answer = readAnswer(each, i, context);
      if (typeof answer === "string") return answer;
      found.push(answer);
    }
    return { kind: "question", question, context, answers: found };
  },
});

function sideBySide({ text, answer_start: starts }: JsonRow): unknown[] | null {
  if (!Array.isArray(text) || !Array.isArray(starts) || text.length !== starts.length) return null;
  return text.map((each, i) => ({ text: each, answer_start: starts[i] }));
}

function readAnswer(answer: unknown, i: number, context: string): Answer | string {
  const { text, answer_start: start } = (answer ?? {}) as JsonRow;
  if (typeof text !== "string" || !isWhole(start)) {
    return `"answers"[${i}] should have a "text" and a whole "answer_start", found ${shownJson(answer)}`;
  }
  const there = Array.from(context)
    .slice(start, start + Array.from(text).length)
    .join("");
  if (there === text) return { text, start };
  return `"answers"[${i}] is "${text}", but at character ${start} the context has "${there}"`;
}

export const task = defineTask({
  name: "QUESTION_ANS",
  taskType: "QUESTION_ANS",
  head: "answerSpan",
  headModules: ["qa_outputs"],
  headOutsideAllLinear: false,
  stacks: ["encoder"],
  auto: "AutoModelForQuestionAnswering",
  model: async () => (await import("../nn/tasks/question-answering.ts")).QuestionAnswerer,
  rows: [questionRow],
  needs: '{"question", "context", "answers"}',
  suggestedBy: () => true,
  encode,
  countLabels: (labels) => (labels.length === 0 ? 0 : 1),
  longest: (_model, { length }) => ({ inputIds: new Int32Array(length), labels: new Int32Array(2) }),
  metrics: async () => (await import("../metrics/answer-metrics.ts")).answerMetrics(),
  async present({ outputs, ...options }) {
    const { predict } = await this.metrics!(options);
    return (example) => ({ answer: predict(outputs(example), example) });
  },
});

function encode(row: RowOf<typeof questionRow>, context: EncodeContext): Example | string {
  const { question, context: text, answers } = row;
  if (answers === null && !context.unlabelled) return 'has no "answers" (an empty list means that there is none)';
  const tokenizer = context.tokenizer();
  const maxLength = lengthLimit(context);
  const encoding = tokenizer.encodePair(question.trimStart(), text, { maxLength, truncation: "only_second" });
  const characters = tokenizer.offsets(text);
  const { inputIds, sequenceIds, places } = encoding;
  const offsets = sequenceIds.map((sequence, i) => (sequence === 1 ? characters[places[i]!]! : null));
  if (!offsets.some((range) => range !== null) || inputIds.length > (maxLength ?? inputIds.length)) {
    return `leaves no room for the context: question and context are cut to ${maxLength} tokens`;
  }
  const labels = answers === null ? [] : positionsOf(answers[0], text, offsets, emptyPosition(inputIds, tokenizer));
  const answer = { context: text, offsets, texts: (answers ?? []).map((each) => each.text) };
  return { ...inputOf(encoding), labels: Int32Array.from(labels), answer };
}

/** Where the model points when there is no answer: at [CLS], or at the beginning. */
function emptyPosition(inputIds: readonly number[], { clsTokenId, bosTokenId }: Tokenizer): number {
  const found = [clsTokenId, bosTokenId].map((id) => (id === null ? -1 : inputIds.indexOf(id)));
  return found.find((at) => at >= 0) ?? 0;
}

function positionsOf(
  answer: Answer | undefined,
  context: string,
  offsets: readonly (Offsets | null)[],
  empty: number,
): [first: number, last: number] {
  const first = offsets.findIndex((range) => range !== null);
  const last = offsets.findLastIndex((range) => range !== null);
  if (answer === undefined) return [empty, empty];
  const start = codeUnits(context, answer.start);
  const end = start + answer.text.length;
  if (offsets[first]![0] > start || offsets[last]![1] < end) return [empty, empty];
  const begins = offsets.findLastIndex((range) => range !== null && range[0] <= start);
  const ends = offsets.findIndex((range) => range !== null && range[1] >= end);
  return [begins, ends];
}

/** Code points counted as UTF-16 code units. */
function codeUnits(text: string, codePoints: number): number {
  let at = 0;
  for (let i = 0; i < codePoints; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}
