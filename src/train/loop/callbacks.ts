/** Own code that is called at moments of a run, with the names of transformers' TrainerCallback. */
import { FormatError } from "../../core/errors.ts";
import { didYouMean } from "../../core/similar.ts";
import type { Settings } from "../arguments.ts";
import type { LogEntry } from "../run/progress.ts";
import type { Trainable } from "../trainable.ts";

/** How far a run is. */
export interface TrainerState {
  /** Optimizer steps taken. */
  readonly globalStep: number;
  /** Optimizer steps of the whole run. */
  readonly maxSteps: number;
  /** Epochs completed, with a fraction. */
  readonly epoch: number;
  readonly numInputTokensSeen: number;
  /** All reports so far; a resumed run has those from before it stopped. */
  readonly logHistory: readonly LogEntry[];
  /** The best value of `metricForBestModel` so far, and its step. */
  readonly bestMetric: number | null;
  readonly bestGlobalStep: number | null;
}

/**
 * What a callback may ask for. At `onStepEnd` the flags hold what the settings ask for after this step, and a callback may set or
 * clear them; set by a later callback, they act after this step. Each is cleared when it has acted.
 */
export interface TrainerControl {
  /** Ends the run after this step, with a checkpoint. */
  shouldTrainingStop: boolean;
  shouldLog: boolean;
  shouldEvaluate: boolean;
  shouldSave: boolean;
}

/** What a moment is about. */
export interface CallbackContext {
  readonly model: Trainable;
  /** The report, at `onLog`. */
  readonly logs?: LogEntry;
  /** The evaluation as reported, at `onEvaluate`. */
  readonly metrics?: LogEntry;
}

/** A method of a callback: what happens at one moment of a run. */
export type CallbackMoment = (
  args: Readonly<Settings>,
  state: TrainerState,
  control: TrainerControl,
  context: CallbackContext,
) => void | Promise<void>;

/**
 * Methods that a run calls, and waits for. A callback's own fields are not part of a checkpoint: what a resumed run must know is in
 * `state.logHistory`.
 *
 * @example
 * const stopAt: TrainerCallback = {
 *   onEvaluate(_args, _state, control, { metrics }) {
 *     if (metrics!.eval_loss! < 0.1) control.shouldTrainingStop = true;
 *   },
 * };
 */
export interface TrainerCallback {
  /** Before the first step, also of a resumed run. */
  onTrainBegin?: CallbackMoment;
  /** Before the first step of a pass over the data. */
  onEpochBegin?: CallbackMoment;
  onStepBegin?: CallbackMoment;
  /** After an optimizer step, before its report, evaluation and checkpoint. */
  onStepEnd?: CallbackMoment;
  onEpochEnd?: CallbackMoment;
  /** After each report. */
  onLog?: CallbackMoment;
  onEvaluate?: CallbackMoment;
  /** After each checkpoint. */
  onSave?: CallbackMoment;
  /** After the last step, before the result is written. */
  onTrainEnd?: CallbackMoment;
}

const moments: Readonly<Record<keyof TrainerCallback, true>> = {
  onTrainBegin: true,
  onEpochBegin: true,
  onStepBegin: true,
  onStepEnd: true,
  onEpochEnd: true,
  onLog: true,
  onEvaluate: true,
  onSave: true,
  onTrainEnd: true,
};

/** Throws FormatError unless each is a callback, and for a method that is never called: `on_step_end`, or a misspelled name. */
export function expectCallbacks(callbacks: readonly unknown[]): void {
  callbacks.forEach((callback, i) => {
    if (typeof callback !== "object" || callback === null)
      throw new FormatError(
        `callbacks[${i}] is a ${typeof callback}, expected an object with methods such as onStepEnd`,
      );
    const known = Object.keys(moments);
    const names = methodsOf(callback).filter((name) => /^on[A-Z_]/.test(name));
    const unknown = names.filter((name) => !known.includes(name));
    const problems = unknown.map((name) => `"${name}" is never called.${didYouMean(camel(name), known)}`);
    if (problems.length > 0)
      throw new FormatError(`callbacks[${i}]: ${problems.join(" ")} Methods are ${known.join(", ")}`);
    if (names.length === 0)
      throw new FormatError(`callbacks[${i}] has no method: expected some of ${known.join(", ")}`);
  });
}

function camel(name: string): string {
  return name.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The names of an object's functions, those of its classes included. */
function methodsOf(object: object): string[] {
  const found = new Set<string>();
  for (let at: object | null = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) found.add(name);
  return [...found].filter((name) => typeof (object as Record<string, unknown>)[name] === "function");
}

/** The callbacks of one run. */
export class Callbacks {
  readonly control: TrainerControl = {
    shouldTrainingStop: false,
    shouldLog: false,
    shouldEvaluate: false,
    shouldSave: false,
  };
  readonly #all: readonly TrainerCallback[];
  readonly #args: Readonly<Settings>;
  readonly #model: Trainable;

  constructor(callbacks: readonly TrainerCallback[], args: Readonly<Settings>, model: Trainable) {
    this.#all = callbacks;
    this.#args = args;
    this.#model = model;
  }

  /** Calls a moment's method of each callback, one after the other. */
  async call(moment: keyof TrainerCallback, state: () => TrainerState, about: Omit<CallbackContext, "model"> = {}) {
    if (this.#all.length === 0) return;
    const now = state();
    for (const callback of this.#all)
      await callback[moment]?.(this.#args, now, this.control, { model: this.#model, ...about });
  }

  /** Whether a flag is set, which clears it. */
  take(flag: Exclude<keyof TrainerControl, "shouldTrainingStop">): boolean {
    const asked = this.control[flag];
    this.control[flag] = false;
    return asked;
  }
}
