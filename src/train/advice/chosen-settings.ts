/** Settings that follow from what is trained on what, for a run that does not give them. */

import { rounded } from "../../nn/tasks/suggested-rate.ts";
import { completeArguments, type Settings, type TrainingArguments } from "../arguments.ts";
import type { TrainingExample } from "../check-examples.ts";
import { tokensOf } from "../objective.ts";
import { StepSchedule } from "../step-schedule.ts";
import type { Trainable } from "../trainable.ts";

/** A small data set teaches too little in fewer optimizer steps than this. */
const ENOUGH = 100;
const EPOCHS = 3;
/** Lion moves every number by the whole rate. */
const LION = 1 / 5;

/** A chosen value, and the reason in a few words. */
export interface Choice {
  readonly name: "numTrainEpochs" | "learningRate";
  readonly value: number;
  readonly reason: string;
}

/**
 * The number of epochs for these examples, or null if `args` says how long the run is: 3, or as many as make 100 optimizer
 * steps.
 */
export function chooseEpochs(examples: readonly TrainingExample[], args: TrainingArguments): Choice | null {
  if (isGiven(args.numTrainEpochs) || isGiven(args.maxSteps)) return null;
  const once = completeArguments({ ...args, numTrainEpochs: 1 });
  const { steps } = new StepSchedule(examples.map(tokensOf), once);
  const value = Math.max(EPOCHS, Math.ceil(ENOUGH / Math.max(1, steps)));
  return { name: "numTrainEpochs", value, reason: `${value * steps} steps, of which an epoch has ${steps}` };
}

/** The peak learning rate for what is trained, or null if `args` has one. */
export function chooseRate({ suggestedRate }: Trainable, args: TrainingArguments): Choice | null {
  if (isGiven(args.learningRate) || suggestedRate === undefined) return null;
  const { optim, loraplusLrRatio } = args;
  const optimizer = optim === "lion" || optim === "lion_32bit" ? LION : 1;
  // LoRA+ multiplies the rate of one factor: both are scaled so that their product stays.
  const plus = isGiven(loraplusLrRatio) ? 1 / Math.sqrt(loraplusLrRatio) : 1;
  const parts = [suggestedRate.reason, optimizer < 1 && "with lion", plus < 1 && "with two rates"];
  const value = rounded(suggestedRate.value * optimizer * plus);
  return { name: "learningRate", value, reason: parts.filter(Boolean).join(", ") };
}

/** The values of choices by name. */
export function chosenValues(choices: readonly (Choice | null)[]): Partial<Pick<Settings, Choice["name"]>> {
  return Object.fromEntries(choices.flatMap((choice) => (choice === null ? [] : [[choice.name, choice.value]])));
}

/** See load-chosen-settings.ts, through which users reach it. */
export function chooseArguments(
  model: Trainable,
  trainDataset: readonly TrainingExample[],
  args: TrainingArguments,
): TrainingArguments {
  return { ...args, ...chosenValues([chooseEpochs(trainDataset, args), chooseRate(model, args)]) };
}

function isGiven(value: number | null | undefined): value is number {
  return value !== undefined && value !== null;
}
