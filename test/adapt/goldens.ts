/** Reads the goldens of test/golden and compares with them. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { concatenateLabelled, type LabelledSequences } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { openFolder } from "../../src/runtime/node.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { golden, type TrainCase } from "../golden-files.ts";

export { cases as casesIn, expectClose as expectNear } from "../golden-files.ts";

/** Where they lie, with a slash. */
export const GOLDEN = `${golden}/`;

export interface Batch {
  readonly sequences: readonly number[][];
  readonly labels: readonly number[][];
}

export interface TrainedCase extends TrainCase {
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Tensors whose way is decided by rounding. */
  readonly unsettled: readonly string[];
  readonly batches: readonly Batch[];
}

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export function readCase<T>(folder: string, file = "case.json"): T {
  return JSON.parse(readFileSync(`${GOLDEN}${folder}/${file}`, "utf8")) as T;
}

/** All tensors of a float32 file. */
export async function readTensors(folder: string, file = "expected.safetensors"): Promise<Map<string, Tensor>> {
  const source = openFolder(`${GOLDEN}${folder}`);
  const { tensors } = await openSafetensors(source, file);
  const read = Array.from(tensors.values(), async (tensor) => {
    expect(tensor.dtype).toBe("F32");
    const bytes = (await tensor.read()).slice();
    return [tensor.name, { shape: tensor.shape, values: new Float32Array(bytes.buffer) }] as const;
  });
  const all = new Map(await Promise.all(read));
  await source.close();
  return all;
}

export function batchOf({ sequences, labels }: Batch): LabelledSequences {
  return concatenateLabelled(sequences.map((inputIds, i) => ({ inputIds, labels: labels[i]! })));
}

/** Positions that the causal shift leaves with a label. */
export function labelCount({ labels }: Batch): number {
  return labels.reduce((sum, row) => sum + row.slice(1).filter((label) => label !== -100).length, 0);
}

/** A golden model in an engine of its own. The name that configs give as their base is PEFT's: models/<name>. */
export async function loadGolden(
  name: string,
  build: "baseline" | "relaxed" = "baseline",
): Promise<{ engine: Engine; model: CausalLM }> {
  const engine = await createEngine({ build });
  const model = await AutoModelForCausalLM.fromPretrained(`${GOLDEN}models/${name}`, { engine });
  return { engine, model };
}

/** ‖a − b‖. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}
