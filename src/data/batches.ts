/** Which examples go into which batch: a pure function of seed and epoch, so a resumed run sees what it would have. */
import { ShapeError } from "../core/errors.ts";
import { Philox } from "../core/philox.ts";

export interface BatchScheduleOptions {
  /** Tokens of each example. */
  readonly lengths: ArrayLike<number>;
  /** Examples in a batch; the last one may have fewer. Give this or `tokenBudget`. */
  readonly batchSize?: number | null;
  /** Tokens that a batch may have at most. Shuffled examples are packed so that batches come close to it. */
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
 * const next = batches[7] // to continue after seven batches;
 */
export function batchSchedule(options: BatchScheduleOptions): number[][] {
  const { lengths, batchSize = null, tokenBudget = null, shuffle, seed, epoch } = options;
  if ((batchSize === null) === (tokenBudget === null)) {
    throw new ShapeError(`batches need either a batch size (got ${batchSize}) or a token budget (got ${tokenBudget})`);
  }
  const order = Array.from({ length: lengths.length }, (_, i) => i);
  if (shuffle) new Philox(seed, FIRST_STREAM + epoch).shuffle(order);
  if (batchSize !== null) return byCount(order, batchSize);
  return byTokens(order, lengths, tokenBudget!, shuffle ? OPEN : 1);
}

function byCount(order: readonly number[], batchSize: number): number[][] {
  expectPositive("batch size", batchSize);
  const batches: number[][] = [];
  for (let at = 0; at < order.length; at += batchSize) batches.push(order.slice(at, at + batchSize));
  return batches;
}

/** Batches that are filled at a time: with lengths of 64 to 512 and a budget of 1,024 they come out 97 % full, one at a time 83 %. */
const OPEN = 16;

interface OpenBatch {
  readonly items: number[];
  room: number;
}

/**
 * Best fit: each example in turn goes to the fullest of up to `most` open batches that has room for it. Where none has, the
 * fullest is finished and an empty one opened. With one open batch the order stays as it is.
 */
function byTokens(order: readonly number[], lengths: ArrayLike<number>, budget: number, most: number): number[][] {
  expectPositive("token budget", budget);
  const batches: number[][] = [];
  const open: OpenBatch[] = [];
  for (const i of order) {
    const length = lengths[i]!;
    if (length > budget) {
      throw new ShapeError(
        `example ${i} has ${length} tokens, more than the token budget of ${budget}; raise it, or give a max length`,
      );
    }
    let batch = fullest(open.filter(({ room }) => room >= length));
    if (!batch) {
      if (open.length === most) batches.push(open.splice(open.indexOf(fullest(open)!), 1)[0]!.items);
      batch = { items: [], room: budget };
      open.push(batch);
    }
    batch.items.push(i);
    batch.room -= length;
  }
  return [...batches, ...open.map(({ items }) => items)];
}

/** The one with least room, of equals the first. */
function fullest(batches: readonly OpenBatch[]): OpenBatch | undefined {
  return batches.reduce<OpenBatch | undefined>(
    (best, each) => (best && best.room <= each.room ? best : each),
    undefined,
  );
}

function expectPositive(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ShapeError(`${what} is ${value}, it should be a whole number of at least 1`);
}
