/** Which examples go into which batch: a pure function of seed and epoch, so a resumed run sees what it would have. */
import { ShapeError } from "../core/errors.ts";
import { Philox } from "../core/philox.ts";

export interface BatchScheduleOptions {
  /** Tokens of each example. */
  readonly lengths: ArrayLike<number>;
  /** Examples in a batch; the last one may have fewer. Give this or `tokenBudget`. */
  readonly batchSize?: number | null;
  /** Tokens that a batch may have at most. */
  readonly tokenBudget?: number | null;
  /** A new random order in each epoch, instead of the file's. */
  readonly shuffle: boolean;
  readonly seed: number;
  /** Counted from 0. */
  readonly epoch: number;
}

/** Far from the streams that other users of the run's seed count up from 0. */
const FIRST_STREAM = 2 ** 40;

/**
 * The batches of one epoch, as indices into the examples; each example occurs once. Any epoch can be asked for without
 * the ones before it. Throws ShapeError when an example alone exceeds the token budget.
 *
 * @example
 * const batches = batchSchedule({ lengths, batchSize: 8, shuffle: true, seed: 42, epoch: 3 });
 * const resumedAt = batches[position];
 */
export function batchSchedule(options: BatchScheduleOptions): number[][] {
  const { lengths, batchSize = null, tokenBudget = null, shuffle, seed, epoch } = options;
  if ((batchSize === null) === (tokenBudget === null)) {
    throw new ShapeError(`batches need either a batch size (got ${batchSize}) or a token budget (got ${tokenBudget})`);
  }
  const order = Array.from({ length: lengths.length }, (_, i) => i);
  if (shuffle) new Philox(seed, FIRST_STREAM + epoch).shuffle(order);
  return batchSize !== null ? byCount(order, batchSize) : byTokens(order, lengths, tokenBudget!);
}

function byCount(order: readonly number[], batchSize: number): number[][] {
  expectPositive("batch size", batchSize);
  const batches: number[][] = [];
  for (let at = 0; at < order.length; at += batchSize) batches.push(order.slice(at, at + batchSize));
  return batches;
}

/** Fills each batch in order until the next example would exceed the budget. */
function byTokens(order: readonly number[], lengths: ArrayLike<number>, budget: number): number[][] {
  expectPositive("token budget", budget);
  const batches: number[][] = [];
  let room = 0;
  for (const i of order) {
    const length = lengths[i]!;
    if (length > budget) {
      throw new ShapeError(
        `example ${i} has ${length} tokens, more than the token budget of ${budget}; raise it, or give a max length`,
      );
    }
    if (length > room) {
      batches.push([]);
      room = budget;
    }
    batches.at(-1)!.push(i);
    room -= length;
  }
  return batches;
}

function expectPositive(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ShapeError(`${what} is ${value}, it should be a whole number of at least 1`);
}
