import type { Engine } from "../../wasm/engine.ts";
import type { RawConfig } from "../config.ts";
import type { ModelDefinition } from "../define-model.ts";
import type { Weights } from "../layers/weights.ts";
import type { TaskTraits } from "./task-traits.ts";

/** A model that is not loaded: its layers by name, with shapes and no contents. */
export interface ModelOfShapes {
  readonly definition: ModelDefinition;
  readonly traits: TaskTraits;
  readonly config: RawConfig;
  readonly weights: Weights;
  /** Published name of the output projection, "" where there is none. */
  readonly headName: string;
  /** One that measures: nothing can be computed in it. */
  readonly engine: Engine;
}
