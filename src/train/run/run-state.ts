/**
 * Checkpoints of a run, one folder each, complete or absent:
 *
 *   checkpoint-N/                     what was trained, as users load it, and transformers' trainer_state.json
 *   checkpoint-N/state/optimizer.safetensors   param. of every trained tensor, f32, exact; what the optimizer keeps for it, as in
 *                                              exp_avg.; method., the state of a PEFT method's schedule
 *   checkpoint-N/state/trainer.json   step, place in the data, generator, and the settings that a resumed run must share
 */
import { readJson } from "../../checkpoint/checkpoint.ts";
import {
  type CheckpointTensor,
  openSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../checkpoint/safetensors.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { RunFolder, Source, Target } from "../../core/host.ts";
import type { Spell } from "../../core/options.ts";
import { listProblems } from "../../core/problems.ts";
import { formatShape, sameShape } from "../../core/shape.ts";
import { bytesOf, type Optimizer, type StateTensor } from "../../optim/define-optimizer.ts";
import type { Memory, Ptr } from "../../wasm/memory.ts";
import { completeArguments } from "../arguments.ts";
import type { Progress } from "./progress.ts";
import { identityOfSettings, type RunIdentity } from "./run-identity.ts";

const OPTIMIZER = "state/optimizer.safetensors";
const PARAMS = "state/params.safetensors";
const TRAINER = "state/trainer.json";
const VERSION = 1;
/** Bytes read at a time. */
const PIECE = 2 ** 22;

/** Numbers of the complete checkpoints of a run, oldest first. */
export async function checkpointsOf(run: RunFolder): Promise<number[]> {
  const found: number[] = [];
  for (const name of await run.list()) {
    const [, step] = /^checkpoint-(\d+)$/.exec(name) ?? [];
    if (step === undefined) continue;
    const source = run.source(name);
    if ((await source.has(OPTIMIZER)) && (await source.has(TRAINER))) found.push(Number(step));
  }
  return found.sort((a, b) => a - b);
}

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
  const text = JSON.stringify({ version: VERSION, identity, progress }, null, 2);
  await target.write(TRAINER, [new TextEncoder().encode(`${text}\n`)]);
}

/** The context of a resuming run: where its state goes, and its identity. */
export interface ResumedRun {
  readonly optimizer: Optimizer;
  readonly method: MethodState;
  readonly identity: RunIdentity;
  /** How messages spell the names of settings. */
  readonly spell: Spell;
}

/**
 * Reads a state into parameters and moments and returns the run's progress. Nothing changes unless everything fits:
 * throws StateError that names every setting that differs, FormatError that lists every tensor that does not fit.
 */
export async function readState(source: Source, { optimizer, method, identity, spell }: ResumedRun): Promise<Progress> {
  const { identity: told, progress } = await readTrainer(source);
  const saved = { ...identityOfSettings(completeArguments({})), ...told }; // new settings: the default
  const names = new Set([...Object.keys(saved), ...Object.keys(identity)]);
  const different = [...names].filter((name) => saved[name] !== identity[name]);
  if (different.length > 0) {
    const lines = different.map(
      (name) => `${spell(name)}: was ${saved[name] ?? "not set"}, is ${identity[name] ?? "not set"}`,
    );
    const advice = "Resume with the same settings and data, or start a new run in another folder.";
    throw new StateError(`${listProblems(`cannot resume from ${source.name}: the run has changed`, lines)}\n${advice}`);
  }
  await readTensors(source, OPTIMIZER, tensorsOf(optimizer), method);
  optimizer.steps = progress.step;
  return progress;
}

/** What the newest checkpoint of a run fixes for those who resume it; nothing where there is no checkpoint. */
export async function savedIdentity(run: RunFolder): Promise<RunIdentity> {
  await run.recover();
  const newest = (await checkpointsOf(run)).at(-1);
  if (newest === undefined) return {};
  const source = run.source(`checkpoint-${newest}`);
  try {
    return (await readTrainer(source)).identity;
  } finally {
    await source.close();
  }
}

/** Writes only the parameters, exactly, below `state/`. */
export async function writeParams(target: Target, optimizer: Optimizer): Promise<void> {
  await writeSafetensors(target, PARAMS, paramsOf(optimizer).map(toWrite));
}

/** Reads parameters written by `writeParams`. Throws FormatError that lists every tensor that does not fit. */
export async function readParams(source: Source, optimizer: Optimizer): Promise<void> {
  await readTensors(source, PARAMS, paramsOf(optimizer));
}

async function readTrainer(source: Source): Promise<{ identity: RunIdentity; progress: Progress }> {
  const saved = (await readJson(source, TRAINER)) as {
    version?: unknown;
    identity?: unknown;
    progress?: unknown;
  } | null;
  if (saved?.version !== VERSION || !saved.identity || !saved.progress) {
    throw new FormatError(
      `"${TRAINER}" in ${source.name} is not a trainer state of version ${VERSION}; resume from another checkpoint`,
    );
  }
  return saved as { identity: RunIdentity; progress: Progress };
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
