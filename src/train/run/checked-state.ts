/** Checks of state/trainer.json: what is read from a checkpoint is used only if every field makes sense. */
import { isObject, type Json } from "../../core/python-json.ts";
import type { Position } from "../step-schedule.ts";
import type { Progress } from "./progress.ts";
import type { RunIdentity } from "./run-identity.ts";

/** The fields of state/trainer.json. */
export interface TrainerFile {
  readonly identity: RunIdentity;
  readonly progress: Progress;
}

/** Everything that follows from a number of steps. */
export interface Reached extends Position {
  readonly microStep: number;
  readonly tokens: number;
}

export const STATE_VERSION = 1;

/** The checked contents of the file, or the problems with them. */
export function checkedTrainerFile(json: Json): TrainerFile | string[] {
  if (!isObject(json)) return [`found ${brief(json)}, expected an object`];
  const problems: string[] = [];
  const expect = (name: string, value: Json | undefined, expected: string, is: (value: Json) => boolean) => {
    if (value === undefined || !is(value)) problems.push(`${name}: found ${brief(value)}, expected ${expected}`);
  };
  expect("version", json.version, String(STATE_VERSION), (value) => value === STATE_VERSION);
  expect("identity", json.identity, "an object of text, numbers, true, false and null", isIdentity);
  const { progress } = json;
  if (!isObject(progress)) return [...problems, `progress: found ${brief(progress)}, expected an object`];
  const { step, best, unreported, log } = progress;
  const steps = isCount(step) ? step : Number.MAX_SAFE_INTEGER;
  const upTo = (least: number) => (value: Json) => isCount(value) && value >= least && value <= steps;
  for (const name of ["step", "epoch", "position", "microStep", "tokens"]) {
    expect(name, progress[name], "a whole number of at least 0", isCount);
  }
  expect("lossSum", progress.lossSum, "a number", isNumber);
  const { lastLoss, curve } = progress;
  if (lastLoss !== undefined) expect("lastLoss", lastLoss, "a number", isNumber);
  if (curve !== undefined) expect("curve", curve, "a list of sums of losses and numbers of steps", isCurve);
  expect("evaluationsSinceBest", progress.evaluationsSinceBest, "a whole number up to step", upTo(0));
  if (isObject(unreported)) {
    expect("unreported.lossSum", unreported.lossSum, "a number", isNumber);
    expect("unreported.steps", unreported.steps, "a whole number up to step", upTo(0));
  } else expect("unreported", unreported, "an object", isObject);
  if (isObject(best)) {
    expect("best.loss", best.loss, "a number or null", (value) => value === null || isNumber(value));
    if (best.metric !== undefined) {
      expect("best.metric", best.metric, "a number or null", (value) => value === null || isNumber(value));
    }
    expect("best.step", best.step, "a whole number from 1 up to step", upTo(1));
  } else expect("best", best, "an object or null", (value) => value === null);
  expect("log", log, "a list of reports, each with a step up to the run's", (value) => isLog(value, upTo(0)));
  return problems.length > 0 ? problems : revived(json as unknown as TrainerFile);
}

/** JSON holds an infinite loss as null; older checkpoints lack the metric, which was the loss. */
function revived({ identity, progress }: TrainerFile): TrainerFile {
  if (progress.best === null) return { identity, progress };
  const loss = progress.best.loss ?? Number.POSITIVE_INFINITY;
  return {
    identity,
    progress: { ...progress, best: { ...progress.best, loss, metric: progress.best.metric ?? loss } },
  };
}

/** What a progress says that does not follow from its number of steps in this run's schedule. */
export function unreached(progress: Progress, reached: Reached): string[] {
  return (["epoch", "position", "microStep", "tokens"] as const)
    .filter((name) => progress[name] !== reached[name])
    .map((name) => `${name}: found ${progress[name]}, expected ${reached[name]} after ${progress.step} steps`);
}

const isCount = (value: Json | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumber = (value: Json): boolean => Number.isFinite(value);

function isIdentity(value: Json): boolean {
  return isObject(value) && Object.values(value).every((each) => each === null || typeof each !== "object");
}

function isCurve(value: Json): boolean {
  const isPart = (part: Json) =>
    Array.isArray(part) && part.length === 2 && isNumber(part[0]!) && isCount(part[1]) && part[1] > 0;
  return Array.isArray(value) && value.every(isPart);
}

/** Numbers of a report that are not finite are null, as JSON requires. */
function isLog(value: Json, isStep: (value: Json) => boolean): boolean {
  const isNumbers = (entry: Json) =>
    isObject(entry) && Object.values(entry).every((each) => each === null || Number.isFinite(each));
  return (
    Array.isArray(value) && value.every((entry) => isNumbers(entry) && isStep((entry as { step: Json }).step ?? null))
  );
}

function brief(value: Json | undefined): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
