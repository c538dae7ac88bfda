/**
 * Computes how much of an engine's memory training needs, before it starts. The model can be in any engine; in one
 * created with `measuring: true` it allocates nothing. A dry run of a step gives the numbers, so they are exact.
 */
import { expectArgument } from "../core/call-options.ts";
import { byMemory, FIRST_BLOCK } from "../wasm/memory.ts";
import { completeArguments, optimizerOf, type Settings, type TrainingArguments } from "./arguments.ts";
import type { TrainingExample } from "./check-examples.ts";
import { trainingBytes } from "./micro-batch.ts";
import { Objective, tokensOf } from "./objective.ts";
import type { Trainable } from "./trainable.ts";

/** Bytes of an engine's memory at the peak of training. */
export interface MemoryPlan {
  /** Weights of the base in the dtype they are kept in, and their tables. */
  readonly base: number;
  /** Tensors of the adapter, and the gradients of all trained parameters. */
  readonly adapter: number;
  /** State of the optimizer. */
  readonly optimizer: number;
  /** Activations and their gradients at the peak of a step. */
  readonly activations: number;
  /**
   * What the kernels' workspaces, one per thread, add to that peak. 0 if they fit into memory that is free at that
   * point.
   */
  readonly workspace: number;
  /** Constant tables of the kernels. */
  readonly overhead: number;
  /** The total. */
  readonly total: number;
  /** The part of each memory. */
  readonly memories: readonly number[];
}

/**
 * The memory that training on these examples needs. The longest ones form the largest batch; without data, pass copies
 * of one example of the maximum length with every token labeled.
 *
 * @example
 * using engine = await createEngine({ measuring: true, threads: 2 });
 * const base = await AutoModelForCausalLM.fromPretrained("models/gpt2", { engine, weights: "int8" });
 * const example = { inputIds: new Int32Array(512), labels: new Int32Array(512) };
 * const { total } = planMemory(getPeftModel(base, lora({ r: 8 })), Array(8).fill(example));
 */
export function planMemory(
  model: Trainable,
  examples: readonly TrainingExample[],
  args: TrainingArguments = {},
): MemoryPlan {
  const isList = Array.isArray(examples) && examples.length > 0;
  expectArgument("planMemory", "the list of examples", examples, isList, "at least one example");
  return planRun(model, new Objective(model), examples, args);
}

/** The same with an own objective. */
export function planRun(
  model: Trainable,
  objective: Objective,
  examples: readonly TrainingExample[],
  args: TrainingArguments,
): MemoryPlan {
  const settings = completeArguments(args);
  const batch = largestBatch(examples, settings);
  const working = stepBytes(model, objective, batch, settings);
  return planOf(model, objective, settings, batch, working, working);
}

/** The plan of a run whose steps need `working` bytes, at least as much as `batch`. */
export function planOf(
  model: Trainable,
  objective: Objective,
  settings: Settings,
  batch: readonly TrainingExample[],
  working: number,
  ofBatch: number = stepBytes(model, objective, batch, settings),
): MemoryPlan {
  const workspace = Math.max(0, ofBatch - stepBytes(model, objective, batch, settings, false));
  const { memory, arenaBytes, threads } = model.engine;
  const { kind, options } = optimizerOf(settings);
  const adapter = model.adapterBytes;
  const count = memory.each.length;
  const states = byMemory(memory, model.namedTrainable().values()).map((own) =>
    own.length === 0 ? 0 : kind.stateBytes(own, options, threads),
  );
  const parts = {
    base: memory.usedBytes - arenaBytes - adapter,
    adapter,
    optimizer: states.reduce((sum, bytes) => sum + bytes, 0),
    activations: (working - workspace) * count,
    workspace: workspace * count,
    overhead: FIRST_BLOCK * count,
  };
  return {
    ...parts,
    total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
    memories: memory.each.map(
      ({ usedBytes }, i) => usedBytes - arenaBytes / count + states[i]! + working + FIRST_BLOCK,
    ),
  };
}

function stepBytes(
  model: Trainable,
  objective: Objective,
  batch: readonly TrainingExample[],
  { dropout, gradientCheckpointing: checkpointing, activations, seed }: Settings,
  scratch = true,
): number {
  const own = model.dropout;
  model.dropout = dropout ?? own;
  try {
    const made = objective.batch(batch, { seed: [seed, 0], training: true });
    return trainingBytes(objective, made, { checkpointing, activations, scratch });
  } finally {
    model.dropout = own;
  }
}

/** The longest examples that one batch may have. */
export function largestBatch(
  examples: readonly TrainingExample[],
  { perDeviceTrainBatchSize, tokensPerBatch }: Settings,
): TrainingExample[] {
  const rows = ({ inputIds, labels, inputs = [] }: TrainingExample) =>
    inputs.reduce((sum, { values }) => sum + values.length, inputIds.length + labels.length);
  const longest = [...examples].sort((one, other) => rows(other) - rows(one));
  if (tokensPerBatch === null) return longest.slice(0, perDeviceTrainBatchSize);
  let room = tokensPerBatch;
  return longest.filter((example) => {
    const fits = tokensOf(example) <= room;
    if (fits) room -= tokensOf(example);
    return fits;
  });
}
