/**
 * LoRA+ (Hayou et al. 2024): the up-projection B has a higher learning rate than A. The groups are those of
 * peft.optimizers.create_loraplus_optimizer:
 *
 *   lora_embedding_A, lora_embedding_B                      a separate rate
 *   lora_B, and everything with one axis (biases, norms,    the rate times `lrRatio`; biases and norms without weight decay
 *   magnitudes)
 *   the rest                                                the rate
 */
import { callOptions } from "../core/call-options.ts";
import { FormatError } from "../core/errors.ts";
import { aboveZero, atLeastZero } from "../core/options.ts";
import type { ParamGroup } from "./define-optimizer.ts";

/** Names as in peft's `create_loraplus_optimizer`, without its prefix. */
export interface LoraPlusOptions {
  /** The learning rate that the optimizer's steps start from. */
  readonly lr: number;
  /** The learning-rate multiplier for B, at least 1. */
  readonly lrRatio: number;
  /** The learning rate of adapted embeddings. */
  readonly lrEmbedding?: number;
}

const loraPlusOptions = {
  lr: aboveZero(0),
  lrRatio: aboveZero(0),
  lrEmbedding: atLeastZero(1e-6),
};

/**
 * The groups of LoRA+, for the `groups` of any optimizer. Throws FormatError for a rate that is not above 0.
 *
 * @example
 * const groups = loraPlusGroups({ lr: 1e-4, lrRatio: 16 });
 * using optimizer = new AdamW(engine, model.namedTrainable(), { groups });
 */
export function loraPlusGroups(options: LoraPlusOptions): readonly ParamGroup[] {
  const { lr, lrRatio, lrEmbedding } = callOptions("LoRA+", loraPlusOptions, options);
  for (const [name, value] of Object.entries({ lr, lrRatio })) {
    if (value === 0) throw new FormatError(`LoRA+: "${name}" is missing, expected a number above 0`);
  }
  const fast = (name: string, axes: number) => name.includes("lora_B") || axes === 1;
  return [
    { has: (name) => /lora_embedding_[AB]/.test(name), lrFactor: lrEmbedding / lr },
    { has: (name, { shape }) => fast(name, shape.length) && isBiasOrNorm(name), lrFactor: lrRatio, weightDecay: 0 },
    { has: (name, { shape }) => fast(name, shape.length), lrFactor: lrRatio },
  ];
}

/** Whether a name is that of an up-projection, which LoRA+ affects. */
export function isUpProjection(name: string): boolean {
  return /lora_(embedding_)?B/.test(name);
}

/** Whether a name is that of a bias or of a norm's weight: transformers' Trainer excludes these from weight decay. */
export function isBiasOrNorm(name: string): boolean {
  return /bias|layernorm|rmsnorm|(^|[._])norm\d*(\.|$)|(^|\.)ln_\w+/i.test(name);
}
