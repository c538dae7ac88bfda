import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";
import { expectMatrix } from "../checks.ts";
import { addBias } from "../layout/columns.ts";
import { linear as linearLayer } from "../linear/linear.ts";
import { product, type Transposes } from "../linear/product.ts";
import { add } from "./arithmetic.ts";

/** a·b [M, N] of matrices a [M, K] and b [K, N]; with `transposeA` a is given as [K, M], with `transposeB` b as [N, K]. */
export function matmul(a: Value, b: Value, transposes: Transposes = {}): Value {
  for (const { shape } of [a, b]) expectMatrix("matmul", shape);
  return product(a, b, transposes);
}

/**
 * x·Wᵀ + b: x [T, in] → [T, out]. The weight [out, in] and the bias [out] are a model's weights, Params of your own, or Values (then
 * the bias is [1, out]).
 *
 * @example
 * const projection = new Param(engine.memory, "projection", [64, 384]);
 * projection.setTrainable(true);
 * const y = ops.linear(x, projection);
 */
export function linear(x: Value, weight: Weight | Value, bias: Weight | Value | null = null): Value {
  const [, width] = expectMatrix("linear", x.shape);
  expectMatrix("linear: weight", weight.shape);
  const out = weight.shape[0]!;
  if (weight.shape[1] !== width) {
    throw new ShapeError(`linear: weight ${formatShape(weight.shape)} does not fit the ${width} columns of the input`);
  }
  if (bias !== null && bias.shape.at(-1) !== out) {
    throw new ShapeError(`linear: bias ${formatShape(bias.shape)} does not fit the ${out} rows of the weight`);
  }
  const plain = bias !== null && bias.kind !== "value" ? bias : null;
  if (weight.kind !== "value" && (plain !== null || bias === null)) return linearLayer(x, weight, "out-in", plain);
  const y = weight.kind === "value" ? product(x, weight, { transposeB: true }) : linearLayer(x, weight, "out-in", null);
  if (plain !== null) return addBias(y, plain);
  return bias === null ? y : add(y, bias as Value);
}
