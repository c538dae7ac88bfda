/** The parameters of a set of adapters: which are trained, their counts, and copies of them. */
import { FormatError, ShapeError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
import type { Adapter } from "./adapter.ts";
import type { AdapterSet } from "./adapter-set.ts";
import { nodesIn } from "./compose/composition.ts";

/** Params of active and trainable adapters and fusions by key, in a fixed order. */
export function namedTrainable(set: AdapterSet): Map<string, Param> {
  const fused = nodesIn(set.composition).flatMap((node) => (node.type === "Fuse" ? [set.fusions.get(node.name)!] : []));
  const active = [...set.active.map((name) => set.get(name)), ...fused];
  const trained = active.filter((adapter) => adapter.trainable);
  const prefix = (name: string) => (trained.length > 1 ? `${name}/` : "");
  const idle = set.idleHeads();
  return new Map(
    trained.flatMap(({ name, params }) =>
      Array.from(params, ([key, param]) => [prefix(name) + key, param] as const).filter(
        ([, param]) => !idle.has(param),
      ),
    ),
  );
}

/** Weights of the base and of adapters that are not trained, in a fixed order. */
export function frozenWeights(set: AdapterSet): Weight[] {
  const trained = new Set<Weight>(namedTrainable(set).values());
  const weights = new Set<Weight>();
  for (const module of set.layers.layers.values()) {
    const { weight, bias } = set.layers.weightsOf(module);
    weights.add(weight);
    if (bias) weights.add(bias);
  }
  for (const { params } of [...set.adapters.values(), ...set.fusions.values()]) {
    for (const param of params.values()) weights.add(param);
  }
  return [...weights].filter((weight) => !trained.has(weight));
}

/** The number of trained parameters and the total: base, adapters, copied modules. */
export function countParams(set: AdapterSet): { trainable: number; all: number } {
  const weights = new Set<Weight>();
  for (const module of set.layers.layers.values()) {
    const { weight, bias } = set.layers.weightsOf(module);
    weights.add(weight);
    if (bias) weights.add(bias);
  }
  let all = Array.from(weights).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  for (const adapter of set.adapters.values()) {
    const { params, standIns } = adapter.count();
    all += params - standIns;
  }
  for (const { params } of set.fusions.values()) for (const { size } of params.values()) all += size;
  const trainable = Array.from(namedTrainable(set).values()).reduce((sum, { size }) => sum + size, 0);
  return { trainable, all };
}

/** A copy of an adapter's values by their keys in a file. */
export function copyState({ params }: Adapter): Map<string, Float32Array> {
  return new Map(Array.from(params, ([key, param]) => [key, param.values().slice()]));
}

/** Restores the result of `copyState`. Throws before changing anything. */
export function writeState({ name, params }: Adapter, state: ReadonlyMap<string, Float32Array>): void {
  for (const [key, { size, shape }] of params) {
    const given = state.get(key);
    if (given?.length === size) continue;
    throw new ShapeError(
      `state of adapter "${name}": "${key}" has ${given?.length ?? "no"} numbers, expected ${formatShape(shape)}`,
    );
  }
  const extra = Array.from(state.keys()).find((key) => !params.has(key));
  if (extra !== undefined) throw new FormatError(`state of adapter "${name}": "${extra}" is not one of its tensors`);
  for (const [key, param] of params) {
    param.values().set(state.get(key)!);
    param.updates++;
  }
}
