/**
 * Learning-rate schedules with transformers' names and formulas. For step s, from 0, of S steps, the first w of which
 * are warm-up, the rate is multiplied by
 *
 *   s < w      s / max(1, w)
 *   constant   1
 *   linear     max(0, (S − s) / max(1, S − w))
 *   cosine     max(0, (1 + cos(π·(s − w) / max(1, S − w))) / 2)
 *
 * "constant" with warm-up is transformers' "constant_with_warmup".
 */
import { UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";

/** Maps the number of a step, counted from 0, to the factor of the learning rate. */
export type Schedule = (step: number) => number;

/** The number of steps, and how many of them are warm-up. */
export interface ScheduleLength {
  readonly warmupSteps: number;
  readonly steps: number;
}

const shapes = {
  constant: () => 1,
  linear: (step: number, { steps, warmupSteps }: ScheduleLength) =>
    Math.max(0, (steps - step) / Math.max(1, steps - warmupSteps)),
  cosine: (step: number, { steps, warmupSteps }: ScheduleLength) =>
    Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmupSteps)) / Math.max(1, steps - warmupSteps)))),
};

/** The names that `schedule` knows. */
export type SchedulerType = keyof typeof shapes;

export const schedulerTypes = Object.keys(shapes) as readonly SchedulerType[];

/** The schedule with that name. Throws UnsupportedError for an unknown name. */
export function schedule(type: SchedulerType, length: ScheduleLength): Schedule {
  if (!Object.hasOwn(shapes, type)) {
    throw new UnsupportedError(
      `learning-rate schedule "${type}" is unknown, expected one of ${schedulerTypes.join(", ")}.${didYouMean(type, schedulerTypes)}`,
    );
  }
  const { warmupSteps } = length;
  return (step) => (step < warmupSteps ? step / Math.max(1, warmupSteps) : shapes[type](step, length));
}
