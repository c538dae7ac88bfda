import { UnsupportedError } from "../../core/errors.ts";
import type { Activation } from "../../ops/pointwise/activation.ts";
import type { ConfigReader } from "../config.ts";

/** The supported activations of transformers' configs; those with "tanh" or "fast" are GELU's tanh form. */
const published: ReadonlyMap<string, Activation> = new Map([
  ["gelu", "gelu"],
  ["gelu_python", "gelu"],
  ["gelu_new", "gelu_new"],
  ["gelu_pytorch_tanh", "gelu_new"],
  ["gelu_python_tanh", "gelu_new"],
  ["gelu_fast", "gelu_new"],
  ["gelu_accurate", "gelu_new"],
  ["relu", "relu"],
  ["silu", "silu"],
  ["swish", "silu"],
  ["tanh", "tanh"],
  ["sigmoid", "sigmoid"],
  ["leaky_relu", "leakyrelu"],
  ["linear", "linear"],
]);

/** The activation that a config names under `key`. Throws UnsupportedError for an unknown one. */
export function activationOf(c: ConfigReader, key: string, missing: string): Activation {
  return activationNamed(c, key, c.string(key, missing));
}

/** The activation called `name`, which comes from `key`. Throws UnsupportedError for one that is not known. */
export function activationNamed(c: ConfigReader, key: string, name: string): Activation {
  const found = published.get(name);
  if (found) return found;
  throw new UnsupportedError(
    `${c.name}: "${key}" is ${JSON.stringify(c.raw[key] ?? name)}, this version knows ${[...published.keys()].join(", ")}`,
  );
}
