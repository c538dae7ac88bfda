/** What would make a run fit into memory: other settings, each of them tried by planning it. */
import { StateError } from "../core/errors.ts";
import type { KeptWeights } from "../nn/kept-dtype.ts";
import { formatBytes } from "../wasm/memory.ts";
import type { TrainingArguments } from "./arguments.ts";
import type { TrainingExample } from "./check-examples.ts";
import { type MemoryPlan, partsOf, planMemory } from "./memory-plan.ts";
import type { Trainable } from "./trainable.ts";

/** Settings that decide how much memory a run takes. */
export interface MemorySettings {
  readonly batchSize?: number;
  readonly tokensPerBatch?: number;
  /** Tokens of the longest sequence. */
  readonly maxLength?: number;
  readonly gradientCheckpointing?: boolean;
  readonly weights?: KeptWeights;
}

/** Settings to change, and what the run takes then. */
export interface Fitting {
  readonly settings: MemorySettings;
  readonly bytes: number;
}

/** Of these the largest that fits is looked for, down to the least that is worth proposing. */
const counts = { batchSize: 1, tokensPerBatch: 64, maxLength: 32 } as const;
type Count = keyof typeof counts;
const countNames = Object.keys(counts) as Count[];

/** Of these every value that fits is proposed, in this order. */
const choices = { gradientCheckpointing: [true], weights: ["bf16", "int8", "nf4"] } as const;

/** What is changed together where no change alone is enough: one after the other, from what costs least. */
const steps: readonly MemorySettings[] = [
  { gradientCheckpointing: true },
  { batchSize: counts.batchSize },
  { tokensPerBatch: counts.tokensPerBatch },
  { weights: "int8" },
  { weights: "nf4" },
  { maxLength: counts.maxLength },
];

/**
 * Settings under which a run fits into `allowed` bytes: changes of one setting each; where none is enough, one change of several; none
 * where that is not enough either. `now` are the settings that may be changed, `needs` tells the bytes of the run with some of them
 * changed.
 */
export async function whatFits(
  now: MemorySettings,
  needs: (changes: MemorySettings) => number | Promise<number>,
  allowed: number,
): Promise<Fitting[]> {
  const fitting = async (settings: MemorySettings): Promise<Fitting | null> => {
    const bytes = await needs(settings);
    return bytes <= allowed ? { settings, bytes } : null;
  };
  /** With the largest count up to what it is now, given that the least one fits. */
  const enlarged = async (least: Fitting, count: Count): Promise<Fitting> => {
    let best = least;
    let [low, high] = [counts[count] as number, now[count]!];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const found = await fitting({ ...least.settings, [count]: middle });
      if (found) [low, best] = [middle, found];
      else high = middle;
    }
    return best;
  };
  const mayShrink = (count: Count) => (now[count] ?? 0) > counts[count];

  const alone: Fitting[] = [];
  for (const count of countNames.filter(mayShrink)) {
    const least = await fitting({ [count]: counts[count] });
    if (least) alone.push(await enlarged(least, count));
  }
  for (const [name, values] of Object.entries(choices)) {
    const own = now[name as keyof typeof choices];
    for (const value of values.filter((each) => own !== undefined && each !== own)) {
      const found = await fitting({ [name]: value });
      if (found) alone.push(found);
    }
  }
  if (alone.length > 0) return alone;

  let together: MemorySettings = {};
  for (const step of steps) {
    const [name] = Object.keys(step) as [keyof MemorySettings];
    if (now[name] === undefined || (name in counts && !mayShrink(name as Count))) continue;
    together = { ...together, ...step };
    const found = await fitting(together);
    if (found === null) continue;
    let best = found;
    for (const count of countNames.filter((each) => each in together)) best = await enlarged(best, count);
    return [best];
  }
  return [];
}

/** Those settings of a run on these examples that its own arguments decide. */
export function memorySettings(
  examples: readonly TrainingExample[],
  { perDeviceTrainBatchSize = 8, tokensPerBatch = null, gradientCheckpointing = false }: TrainingArguments,
): MemorySettings {
  const maxLength = Math.max(...examples.map(({ inputIds }) => inputIds.length));
  return {
    ...(tokensPerBatch === null ? { batchSize: Math.min(perDeviceTrainBatchSize, examples.length) } : { tokensPerBatch }),
    ...(maxLength > 0 && { maxLength }), // images have no tokens
    gradientCheckpointing,
  };
}

/** The plan of a run with some of its settings changed; `weights` is a matter of the model. */
export function planWith(
  model: Trainable,
  examples: readonly TrainingExample[],
  args: TrainingArguments,
  { batchSize, tokensPerBatch, maxLength, gradientCheckpointing }: MemorySettings,
): MemoryPlan {
  const cut = maxLength === undefined ? examples : examples.map((example) => shortened(example, maxLength));
  return planMemory(model, cut, {
    ...args,
    ...(batchSize !== undefined && { perDeviceTrainBatchSize: batchSize }),
    ...(tokensPerBatch !== undefined && { tokensPerBatch }),
    ...(gradientCheckpointing !== undefined && { gradientCheckpointing }),
  });
}

/** An example with at most `length` ids, and labels where each id has one. */
function shortened(example: TrainingExample, length: number): TrainingExample {
  const { inputIds, labels, tokenTypes } = example;
  const aligned = labels.length === inputIds.length;
  return {
    ...example,
    inputIds: inputIds.subarray(0, length),
    labels: aligned ? labels.subarray(0, length) : labels,
    ...(tokenTypes && { tokenTypes: tokenTypes.subarray(0, length) }),
  };
}

/** A setting as the library and as the command line have it. */
const spelling = {
  batchSize: ["perDeviceTrainBatchSize", "--batch-size"],
  tokensPerBatch: ["tokensPerBatch", "--tokens-per-batch"],
  maxLength: ["maxLength", "--max-length"],
  gradientCheckpointing: ["gradientCheckpointing", "--gradient-checkpointing"],
  weights: ["weights", "--weights"],
} as const;

/** "perDeviceTrainBatchSize 4 (--batch-size 4), weights int8 (--weights int8)". */
export function describeSettings(settings: MemorySettings): string {
  const named = Object.entries(settings).map(([name, value]) => {
    const [own, flag] = spelling[name as keyof MemorySettings];
    return value === true ? `${own} (${flag})` : `${own} ${value} (${flag} ${value})`;
  });
  return named.join(", ");
}

/** That a run needs more than is allowed, and what would make it fit. */
export function tooLittleMemory(plan: MemoryPlan, allowed: number, fitting: readonly Fitting[]): StateError {
  const parts = partsOf(plan).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  const ways = fitting.map(({ settings, bytes }) => `  ${describeSettings(settings)}: ${formatBytes(bytes)}`);
  const advice =
    ways.length > 0
      ? ["it would fit with", ...ways]
      : ["no smaller batch or length, nor any other dtype of the weights makes it fit: take a smaller model"];
  return new StateError(
    [
      `training needs ${formatBytes(plan.total)} of memory (${parts.join(", ")}), ${formatBytes(allowed)} are allowed`,
      ...advice,
    ].join("\n"),
  );
}
