/** Answers that are parts of a context, as transformers finds them. */
import { callOptions, camelKeys, expectArgument } from "../core/call-options.ts";
import { FormatError } from "../core/errors.ts";
import { flag, type Options, whole, wholeOrNull } from "../core/options.ts";
import { offsetsInUnits } from "../text/offsets.ts";
import type { TokenEncoding } from "../tokenizers/encoding.ts";
import { forEach, outputsOf, type PipelineModel } from "./loaded.ts";
import type { Question, QuestionAnsweringOptions, SpanAnswer } from "./results.ts";

const options = {
  topK: whole(1, 1),
  handleImpossibleAnswer: flag(false),
  maxAnswerLen: whole(15, 1),
  maxSeqLen: wholeOrNull(1),
  docStride: wholeOrNull(0),
  alignToWords: flag(true),
} satisfies Options;

/** What transformers reads at once, and what two pieces share, where nothing is said. */
const SEQUENCE = 384;
const STRIDE = 128;
/** The score of tokens that cannot be in an answer. */
const MASKED = -10_000;

export function questionAnswering(loaded: PipelineModel) {
  return async (...given: unknown[]) => {
    const [first, second, third] = given;
    const isPair = typeof first === "string";
    const questions = (isPair ? { question: first, context: second } : first) as Question | readonly Question[];
    const asked = camelKeys((isPair ? third : second) ?? {}) as QuestionAnsweringOptions;
    const settings = callOptions("question-answering", options, asked);
    const isOne = !Array.isArray(questions);
    const found = await forEach(questions, isOne, (question: Question) => {
      const answers = answersTo(loaded, expectQuestion(question), settings);
      return answers.length === 1 ? answers[0]! : answers;
    });
    return isOne ? found[0]! : found;
  };
}

function expectQuestion(question: Question): Question {
  const ok = typeof question?.question === "string" && typeof question.context === "string";
  expectArgument(
    "question-answering",
    "the question",
    question,
    ok,
    "{ question, context } or a question and its context",
  );
  return question;
}

type Settings = ReturnType<typeof callOptions<typeof options>>;

function answersTo(loaded: PipelineModel, question: Question, settings: Settings): SpanAnswer[] {
  const { topK, alignToWords, handleImpossibleAnswer, maxAnswerLen } = settings;
  const contextFirst = loaded.tokenizer.padsLeft;
  const answers: { answer: string; score: number; start: number; end: number }[] = [];
  let none = Number.POSITIVE_INFINITY;
  for (const piece of piecesOf(loaded, question, settings)) {
    const { start, end, isOpen } = chances(loaded, piece, contextFirst);
    if (handleImpossibleAnswer) none = Math.min(none, start[0]! * end[0]!);
    start[0] = 0;
    end[0] = 0;
    const places = offsetsInUnits(question.context, piece);
    const most = alignToWords ? topK * 2 + 10 : topK; // some become one when they are whole words
    for (const span of bestSpans(start, end, most, maxAnswerLen)) {
      if (!isOpen[span.first] || !isOpen[span.last]) continue;
      const [from, to] = rangeOf(piece, span, places, alignToWords);
      const answer = question.context.slice(from, to);
      const known = answers.find((each) => each.answer.toLowerCase() === answer.toLowerCase());
      if (known !== undefined) known.score += span.score;
      else answers.push({ answer, score: span.score, start: from, end: to });
    }
  }
  if (handleImpossibleAnswer) answers.push({ answer: "", score: none, start: 0, end: 0 });
  return answers.sort((a, b) => b.score - a.score).slice(0, topK);
}

/** Question and context as tokens: once, or where the context is too long in pieces that overlap. */
function piecesOf({ tokenizer }: PipelineModel, { question, context }: Question, settings: Settings): TokenEncoding[] {
  const maxLength = settings.maxSeqLen ?? Math.min(tokenizer.modelMaxLength ?? SEQUENCE, SEQUENCE);
  const stride = settings.docStride ?? Math.min(Math.floor(maxLength / 2), STRIDE);
  if (stride > maxLength)
    throw new FormatError(
      `question-answering: "docStride" is ${stride}, expected at most "maxSeqLen", which is ${maxLength}`,
    );
  const { padsLeft: contextFirst } = tokenizer;
  const [first, second] = contextFirst ? [context, question] : [question, context];
  const direction = tokenizer.truncatesLeft ? ("Left" as const) : ("Right" as const);
  const strategy = contextFirst ? ("OnlyFirst" as const) : ("OnlySecond" as const);
  const whole = tokenizer.tokens(first, second, { maxLength, strategy, stride, direction });
  return [whole, ...whole.overflowing];
}

/** The probabilities of each token as first and as last of the answer, and which tokens may be in one. */
function chances(loaded: PipelineModel, piece: TokenEncoding, contextFirst: boolean) {
  const rows = outputsOf(loaded, piece);
  const context = contextFirst ? 0 : 1;
  const { clsTokenId } = loaded.tokenizer;
  const isOpen = piece.sequenceIds.map((sequence, i) => sequence === context || piece.ids[i] === clsTokenId);
  const shares = (side: 0 | 1) => {
    const logits = rows.map((row, i) => (isOpen[i] ? row[side]! : MASKED));
    const largest = Math.max(...logits);
    const exps = logits.map((x) => Math.exp(x - largest));
    const sum = exps.reduce((total, x) => total + x, 0);
    return exps.map((x) => x / sum);
  };
  return { start: shares(0), end: shares(1), isOpen };
}

interface Span {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

/** The likeliest spans of at most so many tokens. */
function bestSpans(start: readonly number[], end: readonly number[], count: number, longest: number): Span[] {
  const spans: Span[] = [];
  for (const [first, begins] of start.entries()) {
    for (let last = first; last < Math.min(end.length, first + longest); last++)
      spans.push({ first, last, score: begins * end[last]! });
  }
  return spans.sort((a, b) => b.score - a.score).slice(0, count);
}

/** The characters of a span, or of the words that it begins and ends in. */
function rangeOf(
  piece: TokenEncoding,
  { first, last }: Span,
  places: readonly (readonly [number, number])[],
  alignToWords: boolean,
): [number, number] {
  const [begin, finish] = [wordAt(piece, first), wordAt(piece, last)];
  const isAligned = alignToWords && begin !== null && finish !== null;
  return isAligned ? [places[begin.first]![0], places[finish.last]![1]] : [places[first]![0], places[last]![1]];
}

/** The first and last token of the word that a token is of, null for a special token. */
function wordAt({ words, sequenceIds }: TokenEncoding, at: number): { first: number; last: number } | null {
  if (words[at] === null) return null;
  const isSame = (i: number) => words[i] === words[at] && sequenceIds[i] === sequenceIds[at];
  let [first, last] = [at, at];
  while (first > 0 && isSame(first - 1)) first--;
  while (last + 1 < words.length && isSame(last + 1)) last++;
  return { first, last };
}
