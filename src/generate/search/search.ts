/** What decides, token by token, which texts of one prompt are written. The model is not its business. */
import { StateError } from "../../core/errors.ts";
import type { LogitsProcessor } from "../processors/logits-processor.ts";
import { logSumExp } from "../processors/softmax.ts";

/** A text that is written. */
export interface Draft {
  readonly ids: readonly number[];
  /** The log-probability of each id, where they are wanted. */
  readonly logProbs: readonly number[];
  /** Of beam search: the sum of log-probabilities while it is written, over length^lengthPenalty once it has ended. */
  readonly score: number;
}

export interface Search {
  /** The texts so far, as many as are wanted, those of beam search best first. */
  readonly drafts: readonly Draft[];
  /** The last ids of the texts that go on: what the model is given next. */
  readonly lastIds: readonly number[];
  /**
   * Takes the logits [going on · V] after each text, at first [V] after the prompt. Returns which texts the ones that go on now
   * extend, or null when all is written.
   */
  advance(logits: Float32Array): readonly number[] | null;
}

/** Which log-probabilities are wanted: of the model's own logits, or of the scores that tokens are chosen by. */
export type LogProbKind = "raw" | "processed";

export interface SearchOptions {
  /** At most this many tokens. */
  readonly room: number;
  readonly stops: ReadonlySet<number>;
  /** Changes scores [V] of what follows `ids`. */
  readonly process?: LogitsProcessor;
  /** Whether ids are at an end for another reason than their last one. */
  readonly isEnded?: (ids: readonly number[]) => boolean;
  readonly logProbs?: LogProbKind | null;
}

/** The log-probability of an id among scores [V]. */
export function logProbOf(scores: Float32Array, id: number): number {
  return scores[id]! - logSumExp(scores);
}

/** Throws StateError if no token can be chosen. */
export function expectChoice(scores: Float32Array, made: number): void {
  if (scores.some((score) => score > Number.NEGATIVE_INFINITY)) return;
  throw new StateError(
    `generate: the options forbid every token at token ${made + 1}, expected at least one to choose`,
  );
}
