/** The view of a model that adapters need, created from the model or from the description of an unloaded one. */
import type { RawConfig } from "../nn/config.ts";
import type { DefaultTargets } from "../nn/define-model.ts";
import type { Module, Near, Site } from "../nn/layers/weights.ts";
import type { TaskTraits } from "../nn/tasks/task-traits.ts";
import type { Weight } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { ModelShape } from "./method/define-method.ts";

/** The weights of a layer before any adapter. */
export interface BaseWeights {
  readonly weight: Weight;
  readonly bias: Weight | null;
}

/** The view of a model that adapters need. */
export interface Base extends ModelShape {
  readonly engine: Engine;
  readonly near?: Near | undefined;
  /** The layers that "all-linear" selects: every linear layer except the output projection. */
  readonly allLinear: readonly string[];
  /** Rows that the table of tokens had before it was resized; null if it was not. */
  readonly resizedFrom: number | null;
  /** `Model.weightChanges` when this was recorded. */
  readonly weightChanges: number;
  weightsOf(module: Module): BaseWeights;
  /** Makes this the layer's own weight. */
  replaceWeight(module: Module, weight: Weight): void;
}

export interface ModelLike {
  readonly engine: Engine;
  readonly near?: Near | undefined;
  readonly traits: TaskTraits;
  readonly modelType: string;
  readonly config: RawConfig;
  readonly modules: ReadonlyMap<string, Module>;
  readonly sites: readonly Site[];
  readonly targets: DefaultTargets;
  readonly headName: string;
  readonly resizedFrom?: number | null;
  readonly weightChanges?: number;
}

/** Records the layers' current weights as those of the base. */
export function baseOf(model: ModelLike): Base {
  const { engine, near, traits, modelType, config, modules, sites, targets, headName } = model;
  const { resizedFrom = null, weightChanges = 0 } = model;
  const weights = new Map<Module, BaseWeights>();
  for (const module of modules.values()) {
    weights.set(module, { weight: module.weight, bias: "bias" in module ? module.bias : null });
  }
  const linears = Array.from(modules.values()).filter(({ kind }) => kind === "linear");
  const head = headName || (traits.headOutsideAllLinear ? headAmong([...modules.keys()], traits.headModules) : "");
  return {
    engine,
    near,
    traits,
    modelType,
    config,
    layers: modules,
    sites,
    headName,
    resizedFrom,
    weightChanges,
    targets,
    allLinear: linears.map(({ name }) => name).filter((name) => name !== head && !name.startsWith(`${head}.`)),
    weightsOf: (module) => weights.get(module)!,
    replaceWeight: (module, weight) => weights.set(module, { ...weights.get(module)!, weight }),
  };
}

/** The task head of a model with these modules, "" if it has none. */
function headAmong(names: readonly string[], heads: readonly string[]): string {
  return heads.find((head) => names.some((name) => name === head || name.startsWith(`${head}.`))) ?? "";
}
