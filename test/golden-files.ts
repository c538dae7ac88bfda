/** Reads the goldens and compares with them. LORIKEET_GOLDEN is their folder: shared-goldens.mjs sets it, or a live comparison. */
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { openSafetensors } from "../src/checkpoint/safetensors.ts";
import { bf16ToF32, f16ToF32 } from "../src/core/half.ts";
import { concatenateLabelled, type LabelledSequences } from "../src/nn/pass/sequences.ts";
import type { CausalLM } from "../src/nn/tasks/causal-lm.ts";
import { openFolder } from "../src/runtime/node.ts";
import { createEngine, type Engine } from "../src/wasm/engine.ts";

/** Their folder. */
export const GOLDEN: string = process.env.LORIKEET_GOLDEN!;

export interface TrainCase {
  readonly steps: number;
  readonly lr: number;
  readonly weight_decay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly max_grad_norm: number;
}

/** Names of the folders below `path` of the goldens. */
export function cases(path: string): string[] {
  return readdirSync(`${GOLDEN}/${path}`, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .sort();
}

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

export function readCase<T>(folder: string): T {
  return JSON.parse(readFileSync(`${GOLDEN}/${folder}/case.json`, "utf8")) as T;
}

/** All tensors of a safetensors file, widened to f32. */
export async function readTensors(folder: string, file = "expected.safetensors"): Promise<Map<string, Tensor>> {
  const source = openFolder(`${GOLDEN}/${folder}`);
  const { tensors } = await openSafetensors(source, file);
  const read = Array.from(tensors.values(), async (tensor) => {
    const bytes = (await tensor.read()).slice().buffer;
    return [tensor.name, { shape: tensor.shape, values: widened(tensor.dtype, bytes) }] as const;
  });
  const all = new Map(await Promise.all(read));
  await source.close();
  return all;
}

function widened(dtype: string, bytes: ArrayBuffer): Float32Array {
  if (dtype === "BF16") return bf16ToF32(new Uint16Array(bytes));
  if (dtype === "F16") return f16ToF32(new Uint16Array(bytes));
  expect(dtype).toBe("F32");
  return new Float32Array(bytes);
}

/** Fails unless |got − want| ≤ absolute + relative·|want| everywhere; says where it is worst. */
export function expectClose(
  what: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  absolute: number,
  relative: number,
): void {
  expect(got.length, `${what}: length`).toBe(want.length);
  let worst = -1;
  let excess = 0;
  for (let i = 0; i < got.length; i++) {
    const allowed = absolute + relative * Math.abs(want[i]!);
    const error = Math.abs(got[i]! - want[i]!);
    if (!(error <= allowed) && !(error / allowed <= excess)) {
      worst = i;
      excess = error / allowed;
    }
  }
  if (worst >= 0)
    expect.fail(
      `${what}[${worst}]: got ${got[worst]}, want ${want[worst]}: ${excess.toFixed(1)} times what is allowed`,
    );
}

/** Fails unless the trained values differ from the reference's by at most `share` of the distance that training moved them. */
export function expectTravelled(
  what: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  start: ArrayLike<number>,
  share: number,
  skip: (i: number) => boolean = () => false,
): void {
  let error = 0;
  let distance = 0;
  for (let i = 0; i < want.length; i++) {
    if (skip(i)) continue;
    error += (got[i]! - want[i]!) ** 2;
    distance += (want[i]! - start[i]!) ** 2;
  }
  expect(distance, `${what} should have moved`).toBeGreaterThan(0);
  expect(Math.sqrt(error / distance), `${what}: error over distance travelled`).toBeLessThan(share);
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
  const model = await AutoModelForCausalLM.fromPretrained(`${GOLDEN}/models/${name}`, { engine });
  return { engine, model };
}

/** ‖a − b‖. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}
