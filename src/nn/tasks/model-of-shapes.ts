import type { Engine } from "../../wasm/engine.ts";
import type { RawConfig } from "../config.ts";
import type { ModelDefinition } from "../define-model.ts";
import type { Weights } from "../layers/weights.ts";
import type { TaskTraits } from "./task-traits.ts";

/** An unloaded model: its layers by name, with shapes but no contents. */
export interface ModelOfShapes {
  readonly definition: ModelDefinition;
  readonly traits: TaskTraits;
  readonly config: RawConfig;
  readonly weights: Weights;
  /** The published name of the output projection, "" if there is none. */
  readonly headName: string;
  /** A measuring engine: it cannot compute. */
  readonly engine: Engine;
}
