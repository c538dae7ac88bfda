/** One optimizer step: forward and backward passes of its micro-batches, and one update. */
import { StateError } from "../../core/errors.ts";
import { clipScale, gradientNorm } from "../../optim/clip.ts";
import type { Optimizer } from "../../optim/define-optimizer.ts";
import type { Settings } from "../arguments.ts";
import { nameExample, type TrainingExample } from "../check-examples.ts";
import type { FrozenCache } from "../frozen-cache.ts";
import { lossAndGradients } from "../micro-batch.ts";
import type { Objective } from "../objective.ts";
import type { Progress } from "../run/progress.ts";
import type { StepBatches } from "../step-schedule.ts";
import type { Trainable } from "../trainable.ts";

/** What every step of a run uses. */
export interface StepContext {
  readonly model: Trainable;
  readonly objective: Objective;
  readonly args: Readonly<Settings>;
  readonly examples: readonly TrainingExample[];
  readonly optimizer: Optimizer;
  /** The learning rate of a step, as a part of the peak. */
  readonly rate: (step: number) => number;
  /** Bytes of working memory. */
  readonly bytes: number;
  readonly cache: FrozenCache | null;
  readonly breathe: () => Promise<void>;
}

/** One completed optimizer step. */
export interface Taken {
  /** Mean over everything that the step's losses count for. */
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly microBatches: number;
}

/**
 * The model's own loss is divided by the number of labels of the step before the backward pass. What an own loss counts for is known
 * only after all micro-batches: its gradients are summed first, and the update divides them.
 */
export async function takeStep(run: StepContext, { step, microStep }: Progress, indices: StepBatches): Promise<Taken> {
  const { model, objective, args, examples, optimizer } = run;
  const batches = indices.map((chosen, i) => {
    const context = { seed: [args.seed, microStep + i] as const, training: true };
    const taken = chosen.map((index) => examples[index]!);
    return objective.batch(taken, context);
  });
  const labels = objective.hasOwnLoss ? 1 : batches.reduce((sum, batch) => sum + batch.labels, 0);
  optimizer.zeroGrad();
  let [loss, counted] = [0, 0];
  for (const [i, batch] of batches.entries()) {
    const seed = [args.seed, microStep + i] as const;
    const { gradientCheckpointing: checkpointing, activations } = args;
    const how = { checkpointing, activations, given: run.cache?.rowsOf(indices[i]!) };
    const { sum, count } = lossAndGradients(objective, run.bytes, batch, { divisor: labels, seed, ...how });
    if (!Number.isFinite(sum)) throw notFinite("loss", sum, step, indices[i]!, examples, [i + 1, indices.length]);
    loss += sum;
    counted += count;
    await run.breathe();
  }
  const divisor = objective.hasOwnLoss ? counted : 1;
  const gradNorm = gradientNorm(model.engine, model.namedTrainable().values()) / divisor;
  if (!Number.isFinite(gradNorm)) throw notFinite("gradient norm", gradNorm, step, indices.flat(), examples);
  const learningRate = args.learningRate * run.rate(step);
  const gradScale = clipScale(gradNorm, args.maxGradNorm) / divisor;
  optimizer.step(learningRate, gradScale);
  model.afterStep?.(step + 1, gradScale);
  const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
  return { loss: loss / counted, gradNorm, learningRate, tokens, microBatches: batches.length };
}

/** `at` is the number of the micro-batch and how many there are, if it is known. */
function notFinite(
  what: string,
  value: number,
  step: number,
  indices: readonly number[],
  examples: readonly TrainingExample[],
  at: readonly [number, number] | null = null,
): StateError {
  const named = indices.map((i) => nameExample(examples, i));
  const shown = named.length > 20 ? [...named.slice(0, 20), `${named.length - 20} more`] : named;
  const batch = at === null ? "" : ` in micro-batch ${at[0]} of ${at[1]}`;
  return new StateError(
    `step ${step + 1}: ${what} is ${value}${batch}, expected a finite number (${shown.join(", ")}). ` +
      "Parameters and checkpoints are unchanged by this step; lower learningRate, or check these examples.",
  );
}
