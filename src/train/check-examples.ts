/** Checks of the data before the first step, and a fingerprint that distinguishes sets of examples. */

import { FormatError } from "../core/errors.ts";
import { listProblems } from "../core/problems.ts";
import { isList, shownValue } from "../core/whole-numbers.ts";
import type { Example } from "../data/examples.ts";
import type { Trainable } from "./trainable.ts";

/** An example, with its origin ("train.jsonl:12") if known. */
export interface TrainingExample extends Example {
  readonly where?: string;
}

export interface Limits {
  readonly model: Pick<Trainable, "problemWith">;
  readonly tokensPerBatch: number | null;
}

/** The name of an example in messages: "example 3 (train.jsonl:4)", counted from 0. */
export function nameExample(examples: readonly TrainingExample[], index: number): string {
  const where = examples[index]?.where;
  return where === undefined ? `example ${index}` : `example ${index} (${where})`;
}

/** Throws one FormatError that lists all problems with `examples`. `what` names the data set. */
export function checkExamples(what: string, examples: readonly TrainingExample[], limits: Limits): void {
  if (examples.length === 0) throw new FormatError(`${what} is empty, expected at least one example`);
  const problems: string[] = [];
  examples.forEach((example, i) => {
    const problem = notNumbers(example) ?? wrongWith(example, limits);
    if (problem !== null) problems.push(`${nameExample(examples, i)}: ${problem}`);
  });
  if (problems.length > 0) throw new FormatError(listProblems(`${what} cannot be used with this model`, problems));
}

/** Throws FormatError unless the next example of a stream has ids and labels. */
export function checkedNumbers(what: string, example: unknown, index: number): void {
  const problem = notNumbers(example);
  if (problem !== null) throw new FormatError(`${what}: example ${index}: ${problem}`);
}

/** Why something is no example: rows and plain lists are not. */
function notNumbers(example: unknown): string | null {
  if (typeof example !== "object" || example === null)
    return `is ${example === null ? "null" : `a ${typeof example}`}, expected { inputIds, labels } as encodeRows or loadDataset make them`;
  for (const name of ["inputIds", "labels"]) {
    const value = (example as Record<string, unknown>)[name];
    const found = value === undefined ? "missing" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
    if (!ArrayBuffer.isView(value))
      return `${name} is ${found}, expected an Int32Array, as encodeRows or loadDataset make it`;
  }
  return null;
}

function wrongWith(example: TrainingExample, { model, tokensPerBatch }: Limits): string | null {
  const missing = (["inputIds", "labels"] as const).find((key) => !isList(example[key]));
  if (missing !== undefined) return `"${missing}" is ${shownValue(example[missing])}, expected a list of numbers`;
  const { length } = example.inputIds;
  if (tokensPerBatch !== null && length > tokensPerBatch) {
    return `${length} tokens, a batch may have ${tokensPerBatch} (tokensPerBatch)`;
  }
  return model.problemWith(example);
}

const FNV_PRIME = 0x01000193;
const FNV_START = 0x811c9dc5;

/** 64 bits in hex over all numbers in order: two FNV-1a hashes over 32-bit words, for detecting a changed file. */
export function fingerprint(examples: readonly TrainingExample[]): string {
  let one = FNV_START;
  let two = ~FNV_START;
  const add = (word: number) => {
    one = Math.imul(one ^ word, FNV_PRIME);
    one ^= one >>> 15;
    two = Math.imul(two ^ ((word << 16) | (word >>> 16)), FNV_PRIME);
    two ^= two >>> 13;
  };
  const addAll = (numbers: Int32Array | Float32Array) => {
    new Int32Array((numbers instanceof Float32Array ? numbers : Int32Array.from(numbers)).slice().buffer).forEach(add);
  };
  add(examples.length);
  for (const { inputIds, labels, tokenTypes, inputs = [], taskId } of examples) {
    add(inputIds.length);
    for (const numbers of [inputIds, labels, tokenTypes, ...inputs.map(({ values }) => values)])
      if (numbers) addAll(numbers);
    if (taskId) add(taskId);
  }
  return [one, two].map((sum) => (sum >>> 0).toString(16).padStart(8, "0")).join("");
}
