/** Reads examples from a stream into memory, as many as a run uses. */
import { StateError } from "../core/errors.ts";
import { formatBytes } from "../wasm/memory.ts";
import type { Settings } from "./arguments.ts";
import { checkedNumbers, type TrainingExample } from "./check-examples.ts";
import { tokensOf } from "./objective.ts";

/** The most bytes of ids, labels and inputs that are read. */
const MOST_BYTES = 2 ** 30;

/** How much of a stream is read: so many rows or tokens. */
export interface StreamLimit {
  readonly rows: number;
  readonly tokens: number;
}

/** What the steps of a run use at most: everything, if they are counted in epochs. */
export function neededBy({
  maxSteps,
  perDeviceTrainBatchSize,
  tokensPerBatch,
  gradientAccumulationSteps,
}: Settings): StreamLimit {
  const all = Number.POSITIVE_INFINITY;
  if (maxSteps === null) return { rows: all, tokens: all };
  const batches = maxSteps * gradientAccumulationSteps;
  if (tokensPerBatch !== null) return { rows: all, tokens: batches * tokensPerBatch };
  return { rows: batches * perDeviceTrainBatchSize, tokens: all };
}

/** Throws StateError where the examples need more than 1 GiB. */
export async function readStream<E extends TrainingExample>(
  what: string,
  stream: AsyncIterable<E>,
  limit: StreamLimit,
): Promise<E[]> {
  const examples: E[] = [];
  let [tokens, bytes] = [0, 0];
  for await (const example of stream) {
    checkedNumbers(what, example, examples.length);
    examples.push(example);
    tokens += tokensOf(example);
    bytes += bytesOf(example);
    if (bytes > MOST_BYTES)
      throw new StateError(
        `${what}: after ${examples.length} examples the stream has filled ${formatBytes(MOST_BYTES)}, the limit: set maxSteps to what one run needs, or train on a part of the stream`,
      );
    if (examples.length >= limit.rows || tokens >= limit.tokens) break;
  }
  return examples;
}

function bytesOf({ inputIds, labels, inputs = [] }: TrainingExample): number {
  return [inputIds, labels, ...inputs.map(({ values }) => values)].reduce((sum, each) => sum + each.byteLength, 0);
}
