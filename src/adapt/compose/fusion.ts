/**
 * AdapterFusion (Pfeiffer et al. 2021): attention over the outputs oᵢ = coreᵢ(u) of several bottleneck adapters, token by token.
 *
 *   q = u·W_qᵀ + b_q      kᵢ = oᵢ·W_kᵀ + b_k      vᵢ = oᵢ·W_vᵀ      p = softmaxᵢ(q·kᵢ)      z' = Σ pᵢ·vᵢ + z
 *
 * There is no 1/√d. W_v starts near the identity, and the penalty 0.01·‖I − W_v‖² keeps it there at every site.
 * AdapterHub adds the penalty's gradient after the optimizer's step, so that it acts one step late; here it is part of
 * the loss.
 */
import { StateError, UnsupportedError } from "../../core/errors.ts";
import type { Residual } from "../../nn/layers/residual.ts";
import { softmax } from "../../ops/attention/softmax.ts";
import { concatenateColumns } from "../../ops/layout/columns.ts";
import { reshape } from "../../ops/layout/reshape.ts";
import { meanRows } from "../../ops/layout/rows.ts";
import { linear } from "../../ops/linear/linear.ts";
import { batchedProduct, lift } from "../../ops/linear/product.ts";
import { squaredError } from "../../ops/loss/losses.ts";
import { add } from "../../ops/pointwise/add.ts";
import { dropout } from "../../ops/pointwise/dropout.ts";
import { scaleBy } from "../../ops/pointwise/elementwise.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { readElements } from "../../tensor/elements.ts";
import type { Param, Weight } from "../../tensor/tensor.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter, Replaced } from "../adapter.ts";
import { findCopied } from "../matching.ts";
import { headsOf } from "../method/head-modules.ts";
import { hubPlace } from "../method/hub-place.ts";
import { type Make, type StoredShapes, TensorMaker } from "../method/tensor-maker.ts";

/** Fields of AdapterHub's fusion config in camelCase. */
export interface FusionOptions {
  readonly query: boolean;
  readonly key: boolean;
  readonly value: boolean;
  /** Compute the query from z itself instead of from the adapters' input. */
  readonly queryBeforeLn: boolean;
  /** Whether the penalty keeps W_v near the identity. */
  readonly regularization: boolean;
  /** Add z to keys and values instead of to the result. */
  readonly residualBefore: boolean;
  /** Has no effect here: p sums to 1, so W_v can be applied before or after it. */
  readonly valueBeforeSoftmax: boolean;
  /** Whether W_v starts as the identity, with 1e-6 elsewhere. */
  readonly valueInitialized: boolean;
  /** Dropout of the scores q·kᵢ in training; null and 0 mean the model's attention dropout. */
  readonly dropoutProb: number | null;
  /** Only false is implemented. */
  readonly temperature: boolean;
}

/** AdapterHub's two configs. */
export const fusionOptions: Readonly<Record<"dynamic" | "static", FusionOptions>> = {
  dynamic: {
    ...{ query: true, key: true, value: true, queryBeforeLn: false, regularization: true, residualBefore: false },
    ...{ valueBeforeSoftmax: true, valueInitialized: true, dropoutProb: null, temperature: false },
  },
  static: {
    ...{ query: true, key: true, value: false, queryBeforeLn: false, regularization: false, residualBefore: false },
    ...{ valueBeforeSoftmax: true, valueInitialized: false, dropoutProb: null, temperature: false },
  },
};

/** A fusion at one connection. */
export interface FusionLayer {
  readonly queryBeforeNorm: boolean;
  /** `query` [T, D], the adapters' `outputs` [T, D] each, and the value that the result is added to. */
  forward(query: Value, outputs: readonly Value[], residual: Value): Value;
}

export interface FusionOrigin {
  readonly seed: number;
  /** The shapes of the file that fills it; null for a fresh one. */
  readonly stored: StoredShapes | null;
}

/** The fusion of some adapters over a whole model. */
export class Fusion {
  /** The adapters' names, joined with commas. */
  readonly name: string;
  readonly options: FusionOptions;
  readonly layers = new Map<Residual, FusionLayer>();
  /** Trained copies of the task's head. */
  readonly replaced: readonly Replaced[];
  readonly #maker: TensorMaker;
  readonly #values: Param[] = [];

  /** Throws StateError if only some of the adapters act at a site. */
  constructor(name: string, adapters: readonly Adapter[], options: FusionOptions, base: Base, origin: FusionOrigin) {
    this.name = name;
    this.options = options;
    if (options.temperature) {
      throw new UnsupportedError(`fusion "${name}": "temperature" is not implemented, only false`);
    }
    const { seed, stored } = origin;
    const purpose = stored === null ? "fresh" : "load";
    this.#maker = new TensorMaker({ engine: base.engine, near: base.near, seed, purpose, prefix: "", stored });
    try {
      for (const site of placesOf(adapters)) {
        this.layers.set(site, this.#layer(site, this.#maker.at(`${hubPlace(site)}.adapter_fusion_layer`), base));
      }
      this.replaced = copiedHeads(base, this.#maker, stored);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get params(): ReadonlyMap<string, Param> {
    return this.#maker.params;
  }
  get trainable(): boolean {
    return Array.from(this.params.values()).some((param) => param.trainable);
  }
  setTrainable(trainable: boolean): void {
    for (const param of this.params.values()) param.setTrainable(trainable);
  }

  /** Bytes of all its tensors, gradients included. */
  get bytes(): number {
    return this.#maker.bytes;
  }

  /** 0.01·Σ‖I − W_v‖² over all sites [1, 1], or null. */
  penalty(tape: Tape): Value | null {
    if (!this.options.regularization) return null;
    const terms = this.#values.filter(({ trainable }) => trainable).map((param) => fromIdentity(tape, param));
    return terms.length === 0 ? null : scaleBy(terms.reduce(add), 0.01);
  }

  dispose(): void {
    this.#maker.dispose();
  }

  #layer({ width }: Residual, make: Make, base: Base): FusionLayer {
    const { options } = this;
    const affine = (path: string) => ({
      weight: make.param(`${path}.weight`, [width, width], { normal: 0.02 }),
      bias: make.param(`${path}.bias`, [width], "zeros"),
    });
    const query = options.query ? affine("query") : null;
    const key = options.key ? affine("key") : null;
    const start = options.valueInitialized ? nearIdentity(width) : { normal: 0.02 };
    const value = options.value ? make.param("value.weight", [width, width], start) : null;
    if (value) this.#values.push(value);
    const p = options.dropoutProb || attentionDropout(base);
    return {
      queryBeforeNorm: options.queryBeforeLn,
      forward(asked, outputs, residual) {
        const read = options.residualBefore ? outputs.map((output) => add(output, residual)) : outputs;
        const q = query ? linear(asked, query.weight, "out-in", query.bias) : asked;
        const keys = key ? read.map((output) => linear(output, key.weight, "out-in", key.bias)) : read;
        const values = value ? read.map((output) => linear(output, value, "out-in", null)) : read;
        const mixed = mix(q, keys, values, p);
        return options.residualBefore ? mixed : add(mixed, residual);
      },
    };
  }
}

/** Σ pᵢ·vᵢ [T, D], where p is the softmax over i of q·kᵢ, separately in every row. */
function mix(q: Value, keys: readonly Value[], values: readonly Value[], p: number): Value {
  const [rows, width] = q.shape as [number, number];
  const byRow = (each: readonly Value[]) => reshape(concatenateColumns(each), [rows * each.length, width]);
  const scores = batchedProduct(q, byRow(keys), rows, { transposeB: true });
  return batchedProduct(softmax(dropout(scores, p)), byRow(values), rows);
}

/** ‖I − W‖² [1, 1]. */
function fromIdentity(tape: Tape, param: Param): Value {
  const [width] = param.shape as [number, number];
  const identity = new Float32Array(param.size);
  for (let i = 0; i < width; i++) identity[i * width + i] = 1;
  const squares = squaredError(lift(tape, param), identity);
  return scaleBy(meanRows(squares, Int32Array.of(0, param.size)), param.size);
}

function nearIdentity(width: number): (values: Float32Array) => void {
  return (values) => {
    values.fill(1e-6);
    for (let i = 0; i < width; i++) values[i * width + i] = 1;
  };
}

/** By the names that AdapterHub looks up in the config. */
function attentionDropout({ config }: Base): number {
  const p = config.attention_probs_dropout_prob;
  return typeof p === "number" ? p : 0;
}

/** Trained copies of the task's head; none if the loaded file has none. */
function copiedHeads(base: Base, maker: TensorMaker, stored: StoredShapes | null): Replaced[] {
  const copy = (key: string, from: Weight) =>
    maker.param(key, from.shape, (values) => values.set(readElements(base.engine.memory, from)));
  const names = findCopied([...base.layers.keys()], headsOf(base.traits), () => {});
  return names
    .filter((name) => stored === null || stored.has(`${name}.weight`))
    .map((name) => {
      const module = base.layers.get(name)!;
      const { weight, bias } = base.weightsOf(module);
      const ownBias = bias && copy(`${name}.bias`, bias);
      return { module, weight: copy(`${name}.weight`, weight), bias: ownBias, standsIn: false };
    });
}

/** The sites at which all of them act. */
function placesOf(adapters: readonly Adapter[]): Residual[] {
  const sites = new Set(adapters.flatMap(({ sites: { residual } }) => [...(residual?.keys() ?? [])]));
  for (const site of sites) {
    const missing = adapters.find(({ sites: { residual } }) => !residual?.has(site));
    if (missing === undefined) continue;
    throw new StateError(
      `fused adapters must act at the same sites, but "${missing.name}" does not act at "${hubPlace(site)}"`,
    );
  }
  return [...sites];
}
