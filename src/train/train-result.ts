/** What a run tells while it goes on and at its end. */
import type { BestEvaluation } from "./run/progress.ts";

/** The progress of a run after a step. */
export interface ProgressReport {
  readonly step: number;
  readonly steps: number;
  /** The mean loss of the step, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
  readonly epoch: number;
  /** Tokens trained on since the start. */
  readonly tokens: number;
}

/** How a training run ended, and how far it got. */
export interface TrainResult {
  /** At the last step, by the signal, by `earlyStoppingPatience`, or by a callback. */
  readonly stopped: "finished" | "aborted" | "early" | "callback";
  readonly step: number;
  /** Mean of the losses of all steps, in nats: transformers' `train_loss`. It is above the loss that the run ends with. */
  readonly trainLoss: number;
  /** The loss of the last step alone. */
  readonly lastLoss: number;
  /** The loss of the last evaluation, null if there was none. */
  readonly evalLoss: number | null;
  /** Mean losses of at most about 32 parts of the run, in order. */
  readonly curve: readonly number[];
  readonly best: BestEvaluation | null;
}
