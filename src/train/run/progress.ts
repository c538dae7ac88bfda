/** The state of a run except for parameters and moments: what a checkpoint stores as text. */
import type { Position } from "../step-schedule.ts";

/** One report, with transformers' keys. */
export type LogEntry = Readonly<Record<string, number>>;

export interface Progress extends Position {
  /** Optimizer steps taken. */
  readonly step: number;
  /** Micro-batches run: together with the seed, the complete state of the dropout generator. */
  readonly microStep: number;
  /** Tokens trained on, including those without a label. */
  readonly tokens: number;
  /** Sum of the losses of all steps. */
  readonly lossSum: number;
  /** The sum of the losses of the steps since the last report, and the number of those steps. */
  readonly unreported: { readonly lossSum: number; readonly steps: number };
  /** The best evaluation so far. */
  readonly best: { readonly loss: number; readonly step: number } | null;
  readonly evaluationsSinceBest: number;
  readonly log: readonly LogEntry[];
}

export const atStart: Progress = {
  step: 0,
  epoch: 0,
  position: 0,
  microStep: 0,
  tokens: 0,
  lossSum: 0,
  unreported: { lossSum: 0, steps: 0 },
  best: null,
  evaluationsSinceBest: 0,
  log: [],
};
