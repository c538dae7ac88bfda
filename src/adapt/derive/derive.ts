/** Derives adapters from others: weighted sums of several, and any weight change as plain LoRA. */
import { StateError, UnsupportedError } from "../../core/errors.ts";
import { Philox } from "../../core/random/philox.ts";
import type { Module } from "../../nn/layers/weights.ts";
import { Tape } from "../../tape/tape.ts";
import { readElements } from "../../tensor/elements.ts";
import type { Base } from "../adaptable-model.ts";
import { Adapter, type Warn } from "../adapter.ts";
import { type Foldable, type Method, type MethodConfig, methodName } from "../method/define-method.ts";
import type { Factored, Factors } from "../method/factors.ts";
import { type Combination, combineFactors, combineTensors, lowRankOf, type Part } from "./combine.ts";

/** How adapters are combined: see src/adapt/derive/combine.ts. */
export interface WeightedOptions {
  /** "svd" by default, as in PEFT. */
  readonly combination?: Combination;
  /** Rank of the result of the combinations that end in svd; the largest rank of the parts by default. */
  readonly rank?: number | null;
  /** The fraction of values that pruning keeps. */
  readonly density?: number | null;
  readonly majoritySign?: "total" | "frequency";
  readonly svdClamp?: number | null;
  /** The seed of random pruning. */
  readonly seed?: number;
}

/** The size of the converted LoRA: a rank, or the fraction of the change's energy to keep. */
export type LoraSize = { readonly rank: number } | { readonly energy: number };

interface Weighted {
  readonly adapter: Adapter;
  readonly weight: number;
}

/** A new adapter that is the weighted combination of others, all low-rank or all of a method that combines by tensor. */
export function weightedAdapter(
  name: string,
  parts: readonly Weighted[],
  base: Base,
  options: WeightedOptions,
  warn: Warn,
): Adapter {
  const methods = new Set(parts.map(({ adapter }) => adapter.config.method));
  if (parts.length === 0) throw new StateError("a weighted adapter needs at least one source adapter");
  for (const { adapter } of parts) expectPlain(adapter);
  if (methods.size === 1 && [...methods][0]!.combinesByTensor) return weightedTensors(name, parts, base, warn);
  const random = new Philox(options.seed ?? 0);
  const { combination = "svd", rank, density, majoritySign, svdClamp } = options;
  const chosen = { combination, rank, density, majoritySign, svdClamp, random: () => random.uniform() };
  const factors = new Map<Module, Factors>();
  for (const module of base.layers.values()) {
    const here = parts.flatMap(({ adapter, weight }): Part[] => {
      const own = factorsOf(adapter, module);
      return own === null ? [] : [{ factors: own, weight }];
    });
    if (here.length > 0) factors.set(module, combineFactors(here, chosen as Parameters<typeof combineFactors>[1]));
  }
  const { config } = parts[0]!.adapter;
  return loraOf(name, factors, config, config.method, base, warn);
}

/** A new plain LoRA adapter with the change of another: exact if that is low-rank, otherwise by SVD. */
export function convertedAdapter(
  name: string,
  from: Adapter,
  size: LoraSize | null,
  lora: Method,
  base: Base,
  warn: Warn,
): Adapter {
  const { method } = from.config;
  if (from.replaced.length > 0) throw copiesError(from);
  if (!method.additive || from.linear.size + from.embedding.size === 0) {
    throw new UnsupportedError(
      `adapter "${from.name}": ${methodName(method)} does not add to weights, so it cannot become a LoRA`,
    );
  }
  const factors = new Map<Module, Factors>();
  for (const [layer, part] of [...from.linear, ...from.embedding]) {
    const own = part.factors?.() ?? null;
    if (own !== null && size === null)
      factors.set(
        layer,
        combineFactors(
          [...own].map((each) => ({ factors: each, weight: 1 })),
          cat,
        ),
      );
    else if (size === null)
      throw new StateError(
        `adapter "${from.name}": converting ${methodName(method)} needs a rank, or the energy to keep`,
      );
    else {
      const shape = shapeOf(layer);
      factors.set(layer, lowRankOf(changeOf(layer, part, base), shape, bounded(size, shape)));
    }
  }
  return loraOf(name, factors, from.config, lora, base, warn);
}

const cat = { combination: "cat", random: () => 0 } as const;

function bounded(size: LoraSize, { outFeatures, inFeatures }: { outFeatures: number; inFeatures: number }): LoraSize {
  return "rank" in size ? { rank: Math.min(size.rank, outFeatures, inFeatures) } : size;
}

function shapeOf(layer: Module): { outFeatures: number; inFeatures: number } {
  const [first, second] = layer.weight.shape as [number, number];
  const straight = layer.kind === "linear" && layer.stored === "out-in";
  return straight ? { outFeatures: first, inFeatures: second } : { outFeatures: second, inFeatures: first };
}

/** ΔW of a layer [out, in]: the merged weight minus the base's weight. */
function changeOf(layer: Module, part: Foldable, base: Base): Float32Array {
  const { engine } = base;
  const [rows, columns] = layer.weight.shape as [number, number];
  const before = readElements(engine.memory, base.weightsOf(layer).weight);
  const run = (tape: Tape) => {
    const fold = part.fold!(tape);
    const ptr = tape.alloc(rows * columns * 4);
    if (!tape.planning) tape.memory.f32(ptr, before.length).set(before);
    fold({ tape, ptr, start: 0, end: rows });
    return tape.planning ? before : tape.memory.f32(ptr, before.length).map((x, i) => x - before[i]!);
  };
  const stored = Tape.once(engine, {}, (tape) => tape.at(layer.weight.ptr, () => run(tape)));
  if (layer.kind === "linear" && layer.stored === "out-in") return stored;
  return stored.map((_, i) => stored[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** The low-rank change of an adapter in one layer; null if it has none. */
function factorsOf(adapter: Adapter, module: Module): Factors | null {
  const part =
    module.kind === "linear"
      ? adapter.linear.get(module)
      : module.kind === "embedding"
        ? adapter.embedding.get(module)
        : undefined;
  if (!part) return null;
  const own = part.factors?.() ?? null;
  if (own === null) {
    const method = methodName(adapter.config.method);
    throw new UnsupportedError(
      `adapter "${adapter.name}" (${method}) has no low-rank factors to combine: only LoRA without DoRA has them; use convertToLora first`,
    );
  }
  return own.length === 1
    ? own[0]!
    : combineFactors(
        own.map((each) => ({ factors: each, weight: 1 })),
        cat,
      );
}

/** A LoRA adapter with given factors, of scale 1 in every layer. */
function loraOf(
  name: string,
  factors: ReadonlyMap<Module, Factors>,
  like: MethodConfig,
  lora: Method,
  base: Base,
  warn: Warn,
): Adapter {
  const ranks = Array.from(factors.values(), ({ r }) => r);
  const r = Math.max(...ranks);
  const others = Array.from(factors).filter(([, each]) => each.r !== r);
  const pattern = Object.fromEntries(others.map(([module, each]) => [`^${escaped(module.name)}`, each.r]));
  const { taskType, baseModelNameOrPath, revision } = like.values;
  const config = lora({
    r,
    loraAlpha: r,
    rankPattern: pattern,
    alphaPattern: pattern,
    targetModules: Array.from(factors.keys(), (module) => module.name),
    taskType,
    baseModelNameOrPath,
    revision,
  } as Parameters<Method>[0]);
  const adapter = new Adapter(name, config, base, { purpose: "load" }, warn);
  for (const [module, { a, b, scale }] of factors) {
    const part = (
      module.kind === "linear" ? adapter.linear.get(module) : adapter.embedding.get(module as never)
    ) as Factored;
    part.setFactors!(a, scale === 1 ? b : b.map((x) => x * scale));
  }
  return adapter;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function weightedTensors(name: string, parts: readonly Weighted[], base: Base, warn: Warn): Adapter {
  const [first] = parts as [Weighted];
  const { config } = first.adapter;
  const adapter = new Adapter(name, { ...config, namesTask: true }, base, { purpose: "load" }, warn);
  for (const [key, param] of adapter.params) {
    const values = parts.map(({ adapter: other, weight }) => ({ values: valuesOf(other, key), weight }));
    param.values().set(combineTensors(values));
  }
  return adapter;
}

function valuesOf(adapter: Adapter, key: string): Float32Array {
  const param = adapter.params.get(key);
  if (param) return param.values();
  throw new StateError(
    `adapter "${adapter.name}" has no "${key}": ${methodName(adapter.config.method)} adapters can be combined only if all adapt the same layers`,
  );
}

function expectPlain(adapter: Adapter): void {
  if (adapter.replaced.length > 0) throw copiesError(adapter);
}

function copiesError({ name, replaced }: Adapter): StateError {
  return new StateError(
    `adapter "${name}" has its own copy of "${replaced[0]!.module.name}", which cannot be combined or converted: merge it instead`,
  );
}
