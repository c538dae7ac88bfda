/** Everything that a run has come to, apart from parameters and moments: what a checkpoint keeps as text. */
import type { Position } from "./step-schedule.ts";

/** One report, with transformers' keys. */
export type LogEntry = Readonly<Record<string, number>>;

export interface Progress extends Position {
  /** Optimizer steps taken. */
  readonly step: number;
  /** Micro-batches run: with the seed, the whole state of the dropout generator. */
  readonly microStep: number;
  /** Tokens trained on, those without a label included. */
  readonly tokens: number;
  /** Sum of the losses of all steps. */
  readonly lossSum: number;
  /** Sum of the losses of the steps since the last report, and how many they are. */
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
