/**
 * Ops for losses of your own: functions of the Values of a `Tape`, each with its gradient. A Value is a matrix [rows, columns] of
 * f32; a number is [1, 1]. Every op works in a plan, which computes nothing, and throws ShapeError naming itself.
 *
 * @example
 * import * as ops from "lorikeet/ops";
 * const loss = Tape.once(model.engine, { recording: true, training: true, seed: [0, step] }, (tape) => {
 *   const loss = ops.crossEntropy(model.outputs(tape, batch), batch.labels, { classWeights: [1, 4] });
 *   tape.backward(loss);
 *   return tape.download(loss)[0];
 * });
 */

export { sequenceLogProbs } from "./nn/tasks/sequence-log-probs.ts";
export { softmax } from "./ops/attention/softmax.ts";
export { constant, stopGradient } from "./ops/constant.ts";
export { gather } from "./ops/layout/gather.ts";
export { reshape } from "./ops/layout/reshape.ts";
export { lift as fromParam, type Transposes } from "./ops/linear/product.ts";
export { logSoftmax } from "./ops/loss/log-softmax.ts";
export { relu, sigmoid, silu, tanh } from "./ops/pointwise/activation.ts";
export { abs, clamp, exp, log, logSigmoid, sqrt } from "./ops/pointwise/elementary.ts";
export { type GeluForm, gelu } from "./ops/pointwise/gelu.ts";
export { add, div, mul, sub } from "./ops/public/arithmetic.ts";
export { type CustomOp, customOp } from "./ops/public/custom-op.ts";
export { linear, matmul } from "./ops/public/matmul.ts";
export { concat, indexSelect, slice } from "./ops/public/pieces.ts";
export { type CrossEntropyOptions, crossEntropy } from "./ops/public/weighted-cross-entropy.ts";
export { segmentSum } from "./ops/reduce/segment-sum.ts";
export { type Axis, mean, norm, sum } from "./ops/reduce/sum.ts";
export type { Tensor, Value } from "./tape/tape.ts";
export { Param } from "./tensor/tensor.ts";
