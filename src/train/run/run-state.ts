/**
 * Checkpoints of a run, one folder each, complete or absent:
 *
 *   checkpoint-N/                     what was trained, as users load it, and transformers' trainer_state.json
 *   checkpoint-N/state/optimizer.safetensors   param. of every trained tensor, f32, exact; what the optimizer keeps for it, as in
 *                                              exp_avg.; method., the state of a PEFT method's schedule
 *   checkpoint-N/state/trainer.json   step, place in the data, generator, and the settings that a resumed run must share
 *   checkpoint-N/SHA256SUMS           the hashes of all of these, written last
 */
import { readJson } from "../../checkpoint/checkpoint.ts";
import {
  type CheckpointTensor,
  openSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../checkpoint/safetensors.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { Source, Target } from "../../core/host.ts";
import type { Spell } from "../../core/options.ts";
import { listProblems } from "../../core/problems.ts";
import { formatShape, sameShape } from "../../core/shape.ts";
import { bytesOf, type Optimizer, type StateTensor } from "../../optim/define-optimizer.ts";
import type { Memory, Ptr } from "../../wasm/memory.ts";
import { completeArguments } from "../arguments.ts";
import { checkedTrainerFile, type Reached, STATE_VERSION, type TrainerFile, unreached } from "./checked-state.ts";
import type { Progress } from "./progress.ts";
import { BASE_WEIGHTS, identityOfSettings, type RunIdentity } from "./run-identity.ts";

export const OPTIMIZER = "state/optimizer.safetensors";
export const PARAMS = "state/params.safetensors";
export const TRAINER = "state/trainer.json";
/** Bytes read at a time. */
const PIECE = 2 ** 22;

/** The files of a state. */
export const STATE_FILES: readonly string[] = [OPTIMIZER, TRAINER];

/** The state of a method's schedule, by name: live arrays. */
export type MethodState = ReadonlyMap<string, Float32Array>;

/** Writes the state of a run below `state/`. */
export async function writeState(
  target: Target,
  optimizer: Optimizer,
  method: MethodState,
  progress: Progress,
  identity: RunIdentity,
): Promise<void> {
  const kept = Array.from(method, ([name, values]) => ({
    name: `method.${name}`,
    dtype: "F32" as const,
    shape: [values.length],
    bytes: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }));
  await writeSafetensors(target, OPTIMIZER, [...tensorsOf(optimizer).map(toWrite), ...kept]);
  const text = JSON.stringify({ version: STATE_VERSION, identity, progress }, null, 2);
  await target.write(TRAINER, [new TextEncoder().encode(`${text}\n`)]);
}

/** The context of a resuming run: where its state goes, and what it must agree with. */
export interface ResumedRun {
  readonly optimizer: Optimizer;
  readonly method: MethodState;
  readonly identity: RunIdentity;
  /** Optimizer steps of the run. */
  readonly steps: number;
  /** What the run's schedule has reached after a number of steps. */
  readonly reached: (steps: number) => Reached;
  /** How messages spell the names of settings. */
  readonly spell: Spell;
}

/** Throws FormatError that lists every field of the trainer's file that makes no sense. */
export async function readTrainer(source: Source): Promise<TrainerFile> {
  const checked = checkedTrainerFile(await readJson(source, TRAINER));
  if (!Array.isArray(checked)) return checked;
  throw new FormatError(listProblems(`"${TRAINER}" in ${source.name} is not the state of a run`, checked));
}

/**
 * Reads a state into parameters and moments and returns the run's progress. Nothing changes unless everything fits:
 * throws StateError that names every setting that differs, FormatError that lists every tensor that does not fit and every
 * number that does not follow from the run's schedule.
 */
export async function readState(source: Source, resumed: ResumedRun): Promise<Progress> {
  const { optimizer, method, steps, reached } = resumed;
  const { identity: told, progress } = await readTrainer(source);
  expectSameRun(source, told, resumed);
  if (progress.step > steps) {
    throw new StateError(
      `cannot resume from ${source.name}: it is after ${progress.step} steps, and the run now has ${steps}. ` +
        "Train for more steps, or resume from an earlier checkpoint by its name",
    );
  }
  const problems = unreached(progress, reached(progress.step));
  if (problems.length > 0) {
    throw new FormatError(listProblems(`"${TRAINER}" in ${source.name} does not fit the run's schedule`, problems));
  }
  await readTensors(source, OPTIMIZER, tensorsOf(optimizer), method);
  optimizer.steps = progress.step;
  return progress;
}

/** Throws StateError that names every setting in which a saved run and this one differ. */
function expectSameRun(source: Source, told: RunIdentity, { identity, spell }: ResumedRun): void {
  const saved = { ...identityOfSettings(completeArguments({})), ...told }; // new settings: the default
  const names = new Set([...Object.keys(saved), ...Object.keys(identity)]);
  const unknown = (name: string) => name === BASE_WEIGHTS && !(name in saved && name in identity);
  const different = [...names].filter((name) => saved[name] !== identity[name] && !unknown(name));
  if (different.length === 0) return;
  const lines = different.map(
    (name) => `${spell(name)}: was ${saved[name] ?? "not set"}, is ${identity[name] ?? "not set"}`,
  );
  const advice = "Resume with the same model, settings and data, or start a new run in another folder.";
  throw new StateError(`${listProblems(`cannot resume from ${source.name}: the run has changed`, lines)}\n${advice}`);
}

/** Writes only the parameters, exactly, below `state/`, with the step that they belong to. */
export async function writeParams(target: Target, optimizer: Optimizer, step: number): Promise<void> {
  await writeSafetensors(target, PARAMS, paramsOf(optimizer).map(toWrite), { format: "pt", step: String(step) });
}

/**
 * Reads parameters written by `writeParams` after a step. Throws StateError if they are of another step, FormatError that
 * lists every tensor that does not fit.
 */
export async function readParams(source: Source, optimizer: Optimizer, step: number): Promise<void> {
  const { metadata } = await openSafetensors(source, PARAMS);
  const found = metadata?.step ?? String(step); // earlier versions did not write it
  if (found !== String(step)) {
    throw new StateError(
      `"${PARAMS}" in ${source.name} is of step ${found}, but the best evaluation was at step ${step}`,
    );
  }
  await readTensors(source, PARAMS, paramsOf(optimizer));
}

/** A tensor of the state and its location. */
interface PlacedTensor extends StateTensor {
  readonly ptr: Ptr;
  readonly memory: Memory;
}

function paramsOf({ slots }: Optimizer): PlacedTensor[] {
  return slots.map(({ name, param: { shape, memory, ptr } }) => {
    return { name: `param.${name}`, shape, dtype: "F32", memory, ptr };
  });
}

/** Every tensor of the state. */
function tensorsOf(optimizer: Optimizer): PlacedTensor[] {
  const kept = optimizer.slots.flatMap(({ name, param: { memory }, state }) =>
    state.map((tensor) => ({ ...tensor, name: `${tensor.name}.${name}`, memory })),
  );
  return [...paramsOf(optimizer), ...kept];
}

function contents(placed: PlacedTensor): Uint8Array {
  return placed.memory.u8(placed.ptr, bytesOf(placed));
}

function toWrite(placed: PlacedTensor): TensorToWrite {
  return { name: placed.name, dtype: placed.dtype, shape: placed.shape, bytes: () => contents(placed) };
}

async function readTensors(
  source: Source,
  file: string,
  placed: readonly PlacedTensor[],
  method: MethodState = new Map(),
): Promise<void> {
  const { tensors } = await openSafetensors(source, file);
  const state = Array.from(method, ([name, values]) => {
    return { name: `method.${name}`, shape: [values.length], dtype: "F32", values };
  });
  const wanted = new Set([...placed, ...state].map(({ name }) => name));
  const problems = [...tensors.keys()].filter((name) => !wanted.has(name)).map((name) => `${name}: not trained now`);
  for (const { name, shape, dtype } of [...placed, ...state]) {
    const stored = tensors.get(name);
    if (!stored) problems.push(`${name}: missing`);
    else if (!sameShape(stored.shape, shape) || stored.dtype !== dtype) {
      problems.push(
        `${name}: file has ${stored.dtype} ${formatShape(stored.shape)}, training needs ${dtype} ${formatShape(shape)}`,
      );
    }
  }
  if (problems.length > 0) {
    throw new FormatError(listProblems(`"${file}" in ${source.name} does not fit what is trained`, problems));
  }
  for (const tensor of placed) await fill(tensor, tensors.get(tensor.name)!);
  for (const { name, values } of state) values.set(new Float32Array((await tensors.get(name)!.read()).slice().buffer));
}

async function fill(placed: PlacedTensor, stored: CheckpointTensor): Promise<void> {
  for (let start = 0; start < stored.byteLength; start += PIECE) {
    contents(placed).set(await stored.read(start, Math.min(start + PIECE, stored.byteLength)), start);
  }
}
