/**
 * AdamW with 8-bit moments (Dettmers et al. 2022, "8-bit optimizers via block-wise quantization"), as in
 * bitsandbytes.optim.AdamW8bit: blocks of 256 numbers, each with its largest magnitude in f32, and dynamic levels.
 * Tensors with fewer than 4096 numbers keep their moments in f32. For differences see assembly/optim/adamw-8bit.ts.
 */
import { sizeOf } from "../core/shape.ts";
import { aligned } from "../wasm/memory.ts";
import { AdamW } from "./adamw.ts";
import { defineOptimizer, type Optimizer, type OptimizerOptions } from "./define-optimizer.ts";
import { dynamicTable, TABLE_BYTES } from "./dynamic-levels.ts";

/** Numbers that share a scale. */
export const BLOCK = 256;
/** Tensors of fewer numbers keep f32 moments: they are small, and often the sensitive ones. */
const LEAST = 4096;
/** The result of adamw_8bit_workspace for blocks of that size, for one thread. */
export const WORKSPACE = 2 * BLOCK * 4;

/** Those of AdamW. */
export type AdamW8bitOptions = OptimizerOptions<typeof AdamW.options>;

/**
 * AdamW with 8-bit moments, for training many weights: 2 bytes per weight and 8 per block of 256.
 *
 * @example
 * using optimizer = new AdamW8bit(engine, model.namedTrainable(), { weightDecay: 0.01 });
 */
export const AdamW8bit = defineOptimizer({
  name: "AdamW8bit",
  options: AdamW.options,
  state: (shape) => {
    const size = sizeOf(shape);
    const dtype = size < LEAST ? "F32" : "U8";
    const moments = [
      { name: "exp_avg", shape, dtype },
      { name: "exp_avg_sq", shape, dtype },
    ] as const;
    if (size < LEAST) return moments;
    const scales = [Math.ceil(size / BLOCK)];
    return [
      ...moments,
      { name: "exp_avg_absmax", shape: scales, dtype: "F32" },
      { name: "exp_avg_sq_absmax", shape: scales, dtype: "F32" },
    ];
  },
  /** The table of levels followed by the kernel's workspace. */
  sharedBytes: (_, threads) => aligned(TABLE_BYTES) + threads * WORKSPACE,
  prepare: ({ memory }, shared) => memory.u8(shared, TABLE_BYTES).set(dynamicTable()),
  update: ({ engine, param, at, lr, weightDecay, gradScale, t, shared, options: { beta1, beta2, eps } }) => {
    const moments = [param.ptr, param.grad, at("exp_avg"), at("exp_avg_sq")] as const;
    const rates = [gradScale, lr, beta1, beta2, eps, weightDecay, 1 - beta1 ** t, 1 - beta2 ** t] as const;
    if (param.size < LEAST) {
      engine.kernels.adamw_f32(...moments, ...rates, 0, param.size);
      return;
    }
    const blocks = [at("exp_avg_absmax"), at("exp_avg_sq_absmax"), shared, param.size, BLOCK] as const;
    const workspace = shared + aligned(TABLE_BYTES);
    engine.kernels.adamw_8bit(...moments, ...blocks, ...rates, workspace, 0, Math.ceil(param.size / BLOCK));
  },
});
export type AdamW8bit = Optimizer;
