/** The configs and logits of test/golden/model-configs: what transformers makes of each key. Made by parity/make_config_goldens.py. */
import { readFileSync } from "node:fs";
import type { Task } from "../src/core/task.ts";
import type { RawConfig } from "../src/nn/config.ts";
import type { Model } from "../src/nn/tasks/model.ts";
import { GOLDEN } from "./golden-files.ts";

export interface ConfigCase {
  readonly type: string;
  readonly task: Task;
  readonly changes: RawConfig;
  readonly sequences: readonly number[][];
  /** Whether the changes leave transformers' numbers as they are; null where their shape is another. */
  readonly same: boolean | null;
}

const read = (file: string) => JSON.parse(readFileSync(`${GOLDEN}/model-configs/${file}`, "utf8"));

/** The keys of a config class with their defaults, and other names of them. */
export interface ConfigClass {
  readonly keys: RawConfig;
  readonly alsoCalled: Readonly<Record<string, string>>;
}

/** Tiny configs by type, the changes to them, and the classes; "common" is what all of these have. */
export const bases: Readonly<Record<string, RawConfig>> = read("bases.json");
export const configCases: readonly ConfigCase[] = read("cases.json");
export const classes: Readonly<Record<string, ConfigClass>> = read("classes.json");

/** The numbers that stand for weights: from -0.5 to 0.5, by the name of a tensor and the place in it. */
export function numbers(name: string, count: number): Float32Array {
  let start = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 0x01000193) >>> 0;
  return Float32Array.from({ length: count }, (_, i) => {
    let h = (Math.imul(i, 0x9e3779b1) + start) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32 - 0.5;
  });
}

/** Gives a model those numbers, with 1 added to the weights of norms. */
export function fill(model: Model): void {
  for (const [name, { ptr, shape }] of model.namedWeights()) {
    const size = shape.reduce((a, b) => a * b, 1);
    const isNorm = shape.length === 1 && !name.includes("bias");
    const values = numbers(name, size).map((x) => (isNorm ? x + 1 : x));
    model.engine.memory.f32(ptr, size).set(values);
  }
}
