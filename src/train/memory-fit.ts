/** Finds settings that make a run fit into memory by planning each candidate. */
import { StateError } from "../core/errors.ts";
import { asNamed, type Spell } from "../core/options.ts";
import type { KeptWeights } from "../nn/tensors/kept-dtype.ts";
import type { OptimizerName } from "../optim/optimizers.ts";
import { formatBytes } from "../wasm/memory.ts";
import { completeArguments, type TrainingArguments } from "./arguments.ts";
import type { TrainingExample } from "./check-examples.ts";
import { type MemoryPlan, planRun } from "./memory-plan.ts";
import { Objective, type OwnParts } from "./objective.ts";
import type { Trainable } from "./trainable.ts";

/** Settings that determine how much memory a run needs. */
export interface MemorySettings {
  readonly batchSize?: number;
  readonly tokensPerBatch?: number;
  /** Tokens of the longest sequence. */
  readonly maxLength?: number;
  readonly gradientCheckpointing?: boolean;
  readonly optim?: OptimizerName;
  readonly weights?: KeptWeights;
}

/** Settings to change, and the memory that the run then needs. */
export interface Fitting {
  readonly settings: MemorySettings;
  readonly bytes: number;
}

/** For these, the search finds the largest value that fits, down to the smallest one worth proposing. */
const counts = { batchSize: 1, tokensPerBatch: 64, maxLength: 32 } as const;
type Count = keyof typeof counts;
const countNames = Object.keys(counts) as Count[];

/** For these, every value that fits is proposed, in this order. */
const choices = {
  gradientCheckpointing: [true],
  optim: ["adamw8bit", "adafactor"],
  weights: ["bf16", "int8", "nf4"],
} as const;

/**
 * Settings to change together if no single change is enough: one after the other, cheapest first, as many as needed.
 */
const steps: readonly MemorySettings[] = [
  { gradientCheckpointing: true },
  { batchSize: counts.batchSize },
  { tokensPerBatch: counts.tokensPerBatch },
  { optim: "adamw8bit" },
  { optim: "adafactor" },
  { weights: "int8" },
  { weights: "nf4" },
  { maxLength: counts.maxLength },
];

/** Bytes that the run needs with some settings changed. */
export type Needs = (changes: MemorySettings) => number | Promise<number>;

/** The order of checking which changes are unnecessary: the change that makes room for the rest comes last. */
const takenBack = ["optim", "weights", "maxLength", "tokensPerBatch", "batchSize", "gradientCheckpointing"] as const;

/**
 * Settings with which a run fits into `allowed` bytes: changes of one setting each; if none is enough, one change of
 * several settings; none if that is not enough either. `now` are the settings that may be changed.
 */
export async function whatFits(now: MemorySettings, needs: Needs, allowed: number): Promise<Fitting[]> {
  const search = new Search(now, needs, allowed);
  const alone = await search.alone();
  return alone.length > 0 ? alone : search.together();
}

class Search {
  readonly #now: MemorySettings;
  readonly #needs: Needs;
  readonly #allowed: number;

  constructor(now: MemorySettings, needs: Needs, allowed: number) {
    this.#now = now;
    this.#needs = needs;
    this.#allowed = allowed;
  }

  async alone(): Promise<Fitting[]> {
    const found: (Fitting | null)[] = [];
    for (const count of countNames.filter((name) => this.#mayChange(name))) {
      const least = await this.#fitting({ [count]: counts[count] });
      found.push(least && (await this.#enlarged(least, count)));
    }
    for (const [name, values] of Object.entries(choices)) {
      if (!this.#mayChange(name as keyof MemorySettings)) continue;
      for (const value of values) found.push(await this.#fitting({ [name]: value }));
    }
    return found.filter((each) => each !== null);
  }

  async together(): Promise<Fitting[]> {
    let changed: MemorySettings = {};
    for (const step of steps) {
      if (!this.#mayChange(Object.keys(step)[0] as keyof MemorySettings)) continue;
      changed = { ...changed, ...step };
      const found = await this.#fitting(changed);
      if (found) return [await this.#relaxed(found)];
    }
    return [];
  }

  /** Reverts changes that are unnecessary, or larger than necessary. */
  async #relaxed(found: Fitting): Promise<Fitting> {
    let best = found;
    for (const name of takenBack.filter((each) => each in found.settings)) {
      const others = Object.entries(best.settings).filter(([other]) => other !== name);
      const without = await this.#fitting(Object.fromEntries(others));
      if (without) best = without;
      else if (name in counts) best = await this.#enlarged(best, name as Count);
    }
    return best;
  }

  /**
   * The largest count below the current one that fits; `least` fits. Counts grow until one does not fit, and then the
   * search goes on where a straight line between both ends meets the limit: bytes grow nearly in proportion, and small
   * plans are fast.
   */
  async #enlarged(least: Fitting, count: Count): Promise<Fitting> {
    const now = this.#now[count]!;
    const at = (value: number) => ({ ...least.settings, [count]: value });
    let [best, low] = [least, counts[count] as number];
    let [high, needed] = [now, Infinity];
    for (let tries = 0; high - low > 1; tries++) {
      const share = (this.#allowed - best.bytes) / (needed - best.bytes); // 0 while no count is known not to fit
      const tried = between(low, high, needed === Infinity ? null : share, tries);
      const bytes = await this.#needs(at(tried));
      if (bytes <= this.#allowed) [low, best] = [tried, { settings: at(tried), bytes }];
      else [high, needed] = [tried, bytes];
    }
    return best;
  }

  async #fitting(settings: MemorySettings): Promise<Fitting | null> {
    if (await this.#isHopeless(settings)) return null;
    const bytes = await this.#needs(settings);
    return bytes <= this.#allowed ? { settings, bytes } : null;
  }

  /** Whether fewer rows or tokens already need too much, which is found much faster than for all of them. */
  async #isHopeless(settings: MemorySettings): Promise<boolean> {
    const count = countNames.find((name) => settings[name] === undefined && this.#mayChange(name));
    if (count === undefined) return false;
    for (let value = counts[count] * GROWTH; value * GROWTH <= this.#now[count]!; value *= GROWTH) {
      if ((await this.#needs({ ...settings, [count]: value })) > this.#allowed) return true;
    }
    return false;
  }

  #mayChange(name: keyof MemorySettings): boolean {
    const now = this.#now[name];
    return name in counts ? ((now as number | undefined) ?? 0) > counts[name as Count] : now !== undefined;
  }
}

/** By how much a count grows while everything fits. */
const GROWTH = 8;

/** A count between two others: a larger one while nothing is known of `share`, the part of the way where the limit is. */
function between(low: number, high: number, share: number | null, tries: number): number {
  const halves = tries % 3 === 2; // so that a line that misleads costs little
  const guess = share === null ? low * GROWTH : halves ? (low + high) / 2 : low + share * (high - low);
  return Math.min(high - 1, Math.max(low + 1, Math.floor(guess)));
}

/** The settings of a run on these examples that its own arguments determine. */
function memorySettings(examples: readonly TrainingExample[], args: TrainingArguments): MemorySettings {
  const { perDeviceTrainBatchSize, tokensPerBatch, gradientCheckpointing, optim } = completeArguments(args);
  const maxLength = Math.max(...examples.map(({ inputIds }) => inputIds.length));
  return {
    ...(tokensPerBatch === null
      ? { batchSize: Math.min(perDeviceTrainBatchSize, examples.length) }
      : { tokensPerBatch }),
    ...(maxLength > 0 && { maxLength }), // images have no tokens
    gradientCheckpointing,
    optim,
  };
}

/** The plan of a run with some of its settings changed; `weights` depends on the model. */
function planWith(
  model: Trainable,
  own: OwnParts,
  examples: readonly TrainingExample[],
  args: TrainingArguments,
  { batchSize, tokensPerBatch, maxLength, gradientCheckpointing, optim }: MemorySettings,
): MemoryPlan {
  const cut = maxLength === undefined ? examples : examples.map((example) => shortened(example, maxLength));
  return planRun(model, new Objective(model, own), cut, {
    ...args,
    ...(batchSize !== undefined && { perDeviceTrainBatchSize: batchSize }),
    ...(tokensPerBatch !== undefined && { tokensPerBatch }),
    ...(gradientCheckpointing !== undefined && { gradientCheckpointing }),
    ...(optim !== undefined && { optim, optimArgs: {} }), // these belong to another optimizer
  });
}

/** An example with at most `length` ids, and labels if each id has one. */
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

/** "perDeviceTrainBatchSize 4, weights int8". */
function describeSettings(settings: MemorySettings, spell: Spell): string {
  const named = Object.entries(settings).map(([name, value]) => {
    const own = spell(name === "batchSize" ? "perDeviceTrainBatchSize" : name);
    return value === true ? own : `${own} ${value}`;
  });
  return named.join(", ");
}

/** A run whose base may be kept in another dtype if stated. */
export interface MeasuredRun {
  readonly model: Trainable;
  readonly trainDataset: readonly TrainingExample[];
  readonly args?: TrainingArguments;
  /** An own loss and collator. */
  readonly own?: OwnParts;
  /** The dtype of the base, and the model with its base in another dtype. */
  readonly weights?: KeptWeights;
  readonly remade?: (weights: KeptWeights) => Promise<Trainable>;
}

/** Settings with which a run fits into `allowed` bytes: see `whatFits`. */
export async function fittingSettings(run: MeasuredRun, allowed: number): Promise<Fitting[]> {
  const { model, trainDataset, args = {}, own = {}, weights, remade } = run;
  const now = { ...memorySettings(trainDataset, args), ...(weights && remade && { weights }) };
  const needs = async (changes: MemorySettings) => {
    const changed = changes.weights === undefined ? model : await remade!(changes.weights);
    return planWith(changed, own, trainDataset, args, changes).total;
  };
  return whatFits(now, needs, allowed);
}

/** A line for each. */
export function waysToFit(fitting: readonly Fitting[], spell: Spell): string[] {
  return fitting.map(({ settings, bytes }) => `  ${describeSettings(settings, spell)}: ${formatBytes(bytes)}`);
}

/** Reports that a run needs more memory than allowed, and which settings would make it fit. */
export function tooLittleMemory(
  plan: MemoryPlan,
  allowed: number,
  fitting: readonly Fitting[],
  spell: Spell = asNamed,
): StateError {
  const parts = partsOf(plan).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  const ways = waysToFit(fitting, spell);
  const advice =
    ways.length > 0
      ? ["it would fit with", ...ways]
      : [
          "no smaller batch, shorter sequence or other dtype of the weights makes it fit: train an adapter instead of every weight, or use a smaller model",
        ];
  return new StateError(
    [
      `training needs ${formatBytes(plan.total)} of memory (${parts.join(", ")}), but the limit is ${formatBytes(allowed)}`,
      ...advice,
    ].join("\n"),
  );
}

/** The parts of a plan by their display names. */
export function partsOf({
  base,
  adapter,
  optimizer,
  activations,
  workspace,
  overhead,
}: MemoryPlan): [string, number][] {
  const named = { base, adapter, optimizer, activations, workspace, "kernel tables": overhead };
  return Object.entries(named);
}
