/** A model as adapters see it, taken from the model itself or from a description of one that is not loaded. */
import type { ModelDefinition } from "../nn/define-model.ts";
import type { Module } from "../nn/weights.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Base, BaseWeights } from "./adapter.ts";

export interface ModelLike {
  readonly engine: Engine;
  readonly modules: ReadonlyMap<string, Module>;
  readonly adaptByDefault: ModelDefinition["adaptByDefault"];
  readonly headName: string;
}

/** Remembers the weights that the layers have now as those of the base. */
export function baseOf({ engine, modules, adaptByDefault, headName }: ModelLike): Base {
  const weights = new Map<Module, BaseWeights>();
  for (const module of modules.values()) {
    weights.set(module, { weight: module.weight, bias: module.kind === "embedding" ? null : module.bias });
  }
  const linears = Array.from(modules.values()).filter(({ kind, name }) => kind === "linear" && name !== headName);
  return {
    engine,
    layers: modules,
    headName,
    names: { layers: [...modules.keys()], allLinear: linears.map(({ name }) => name), byDefault: adaptByDefault },
    weightsOf: (module) => weights.get(module)!,
    replaceWeight: (module, weight) => weights.set(module, { ...weights.get(module)!, weight }),
  };
}
