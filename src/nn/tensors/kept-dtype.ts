/** The dtype in which a frozen tensor is kept. */
import { type Option, oneOf } from "../../core/options.ts";
import type { Shape } from "../../core/shape.ts";
import type { DenseDtype, FrozenDtype } from "../../tensor/tensor.ts";
import type { Role } from "../layers/weights.ts";

/**
 * How the matrices of a frozen base are kept in memory; vectors are always f32.
 *
 *   stored          as in the checkpoint
 *   f32, f16, bf16  converted, to nearest
 *   int8            one scale per output feature; products run in integer arithmetic. Linear layers and tables.
 *   nf4 4 bits in blocks of 64, doubly quantized (QLoRA, Dettmers et al. 2023). Linear layers except the output
 *   projection; that and tables stay as stored, as in bitsandbytes.
 */
export type KeptWeights = "stored" | FrozenDtype;

const FLOATS = "Computing is in float32; --weights f16 or --weights bf16 holds the base in 16 bits";

/** The option `weights` of loaders and commands. */
export const weightsOption: Option<KeptWeights> = oneOf(["stored", "f32", "f16", "bf16", "int8", "nf4"], "stored", {
  help: "dtype of the base in memory: int8 computes in integers, nf4 uses 4 bits",
  insteadOf: {
    "load-in-4bit": "--weights nf4 holds the base in 4 bits",
    "load-in-8bit": "--weights int8 holds the base in 8 bits",
    fp16: FLOATS,
    bf16: FLOATS,
    "torch-dtype": FLOATS,
    dtype: FLOATS,
    quantize: "--weights nf4 or --weights int8 holds the base in fewer bits",
  },
  common: true,
});

/** Matrices with shorter rows stay as stored because compression gains nothing (T5's table of relative positions). */
const NARROW = 64;

/** The dtype of one tensor, `stored` in its checkpoint. */
export function keptDtype(kept: KeptWeights, role: Role, shape: Shape, stored: DenseDtype): FrozenDtype {
  if (shape.length === 1) return "f32"; // small, and read by kernels that only support f32
  if (kept === "stored") return stored;
  if (kept === "int8") return role === "other" || shape.at(-1)! < NARROW ? stored : "int8";
  if (kept === "nf4") return role === "out-in" || role === "in-out" ? "nf4" : stored;
  return kept;
}
