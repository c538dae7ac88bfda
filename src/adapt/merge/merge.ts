/**
 * Merges adapters into the base weights, in place and piece by piece: there is no second copy of a weight in the
 * engine's memory.
 */
import { FormatError, StateError, UnsupportedError } from "../../core/errors.ts";
import type { Embedding } from "../../nn/layers/embedding.ts";
import type { Linear } from "../../nn/layers/linear.ts";
import type { WeightRows } from "../../ops/linear/fold.ts";
import { Tape } from "../../tape/tape.ts";
import { expectDense, readElements, rounded, storedBytes, writeElements } from "../../tensor/elements.ts";
import type { Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter } from "../adapter.ts";
import { type Foldable, methodName } from "../method/define-method.ts";
import { foldableOf } from "./untie.ts";

/** Elements merged at a time. */
const PIECE = 1 << 20;

/** One layer and the changes to merge into it, in order. */
interface Job {
  readonly layer: Linear | Embedding;
  readonly weight: Weight;
  readonly bias: Weight | null;
  readonly parts: readonly { readonly adapter: string; readonly part: Foldable }[];
}

/** The bytes of weights before merging, to restore them exactly. */
export type Originals = Map<Weight, Uint8Array>;

/**
 * Throws unless the adapters can be merged: UnsupportedError for a method that cannot be merged, StateError for a bias
 * that a layer does not have, and with `safe` FormatError for a result that would not be finite. It changes nothing.
 */
export function expectMergeable(base: Base, adapters: readonly Adapter[], safe: boolean): void {
  const jobs = jobsFor(base, adapters);
  if (!safe) return;
  for (const job of jobs)
    eachResult(base.engine, job, (values) =>
      expectFinite(
        values,
        job.layer.name,
        job.parts.map(({ adapter }) => adapter),
      ),
    );
  for (const { name, replaced } of adapters) {
    for (const { module, weight, bias } of replaced) {
      for (const copy of [weight, bias]) if (copy) expectFinite(copy.values(), module.name, [name]);
    }
  }
}

/**
 * Replaces W with the merged weight for every layer that any of the adapters adapts: in f32, rounded once to the stored
 * dtype of W. `originals` receives the previous bytes, or is null if unmerging is not needed.
 */
export function mergeInto(base: Base, adapters: readonly Adapter[], originals: Originals | null): void {
  const jobs = jobsFor(base, adapters);
  const { engine } = base;
  for (const { weight } of jobs) expectDense(weight);
  for (const { layer, bias } of jobs) {
    if (bias === null || (layer as Linear).bias === bias) continue;
    throw new StateError(
      `the bias of "${layer.name}" is trained by another active adapter: it can only be merged with mergeAndUnload`,
    );
  }
  for (const { weight, bias } of jobs) {
    for (const tensor of [weight, bias]) {
      if (tensor && originals && !originals.has(tensor))
        originals.set(tensor, storedBytes(engine.memory, tensor).slice());
    }
  }
  const folded = new Set<Weight>(); // layers that are still tied have the same change
  for (const job of jobs) {
    if (folded.has(job.weight)) continue;
    folded.add(job.weight);
    eachResult(engine, job, (values, weight, start) => writeElements(engine.memory, weight, start, values));
  }
}

/** Restores the previous bytes. */
export function restore({ memory }: Engine, originals: Originals): void {
  for (const [weight, bytes] of originals) storedBytes(memory, weight).set(bytes);
  originals.clear();
}

function jobsFor(base: Base, adapters: readonly Adapter[]): Job[] {
  const jobs: Job[] = [];
  for (const { name, config, sites } of adapters) {
    if (!sites.residual && !sites.attention && !sites.virtual) continue;
    const method = methodName(config.method);
    throw new UnsupportedError(
      `adapter "${name}": ${method} changes more than weights, so it cannot be merged; keep it as a separate adapter`,
    );
  }
  for (const module of base.layers.values()) {
    if (module.kind !== "linear" && module.kind !== "embedding") continue;
    const parts = adapters.flatMap((adapter) => {
      const part = foldableOf(adapter, module);
      return part ? [{ adapter: adapter.name, part }] : [];
    });
    if (parts.length === 0) continue;
    const stuck = parts.find(({ part }) => !part.fold);
    if (stuck)
      throw new UnsupportedError(
        `adapter "${stuck.adapter}": its method cannot become part of the weight of "${module.name}"`,
      );
    const { weight, bias } = base.weightsOf(module);
    const foldsBias = parts.find(({ part }) => part.foldBias);
    if (foldsBias && bias === null) {
      throw new StateError(
        `adapter "${foldsBias.adapter}" adds a bias to "${module.name}", which has none: it cannot be merged`,
      );
    }
    jobs.push({ layer: module, weight, bias: foldsBias ? bias : null, parts });
  }
  return jobs;
}

/** Calls `use` with the merged values of a layer's weight, in pieces, and of its bias, as they will be stored. */
function eachResult(
  engine: Engine,
  job: Job,
  use: (values: Float32Array, weight: Weight, start: number) => void,
): void {
  const { weight, bias, parts } = job;
  const [rows, columns] = weight.shape as [number, number];
  const step = Math.max(1, Math.floor(PIECE / columns));
  const run = (tape: Tape) => {
    const folds = parts.map(({ part }) => part.fold!(tape));
    const ptr = tape.alloc(Math.min(step, rows) * columns * 4);
    for (let start = 0; start < rows; start += step) {
      const piece: WeightRows = { tape, ptr, start, end: Math.min(rows, start + step) };
      const size = (piece.end - start) * columns;
      if (!tape.planning)
        tape.memory.f32(ptr, size).set(readElements(tape.memory, weight, start * columns, piece.end * columns));
      for (const fold of folds) fold(piece);
      if (!tape.planning) use(rounded(weight, tape.memory.f32(ptr, size).slice()), weight, start * columns);
    }
  };
  Tape.once(engine, {}, (tape) => tape.at(weight.ptr, () => run(tape)));
  if (bias === null) return;
  const values = readElements(engine.memory, bias);
  for (const { part } of parts) part.foldBias?.(values);
  use(rounded(bias, values), bias, 0);
}

function expectFinite(values: Float32Array, layer: string, adapters: readonly string[]): void {
  if (values.every(Number.isFinite)) return;
  const names = adapters.map((name) => `"${name}"`).join(", ");
  throw new FormatError(
    `NaNs detected in the merged weights of "${layer}". The adapter ${names} seems to be broken; nothing was merged`,
  );
}
