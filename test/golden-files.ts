/** Reads the fixtures that test/parity/make_goldens.py wrote. LORIKEET_GOLDEN names another folder, for a live comparison. */
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { openSafetensors } from "../src/checkpoint/safetensors.ts";
import { bf16ToF32, f16ToF32 } from "../src/core/half.ts";
import { openFolder } from "../src/runtime/node.ts";

export const golden: string = process.env.LORIKEET_GOLDEN ?? new URL("./golden", import.meta.url).pathname;

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
  return readdirSync(`${golden}/${path}`, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .sort();
}

export function readCase<T>(path: string): T {
  return JSON.parse(readFileSync(`${golden}/${path}/case.json`, "utf8")) as T;
}

/** All tensors of a safetensors file as f32. */
export async function readTensors(path: string): Promise<Map<string, Float32Array>> {
  const at = path.lastIndexOf("/");
  const { tensors } = await openSafetensors(openFolder(`${golden}/${path.slice(0, at)}`), path.slice(at + 1));
  const read = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) {
    const bytes = (await tensor.read()).slice().buffer;
    if (tensor.dtype === "F32") read.set(name, new Float32Array(bytes));
    else if (tensor.dtype === "BF16") read.set(name, bf16ToF32(new Uint16Array(bytes)));
    else if (tensor.dtype === "F16") read.set(name, f16ToF32(new Uint16Array(bytes)));
  }
  return read;
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
