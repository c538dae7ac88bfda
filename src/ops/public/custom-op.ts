import { ShapeError, StateError } from "../../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../../core/shape.ts";
import type { Tensor, Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** What an op of your own computes, on the host. */
export interface CustomOp {
  /** Its name in messages, "customOp" by default. */
  readonly name?: string;
  /** The result's shape from those of the operands; that of the first operand by default. */
  readonly shape?: (...operands: Shape[]) => Shape;
  /** The numbers of the result. The operands are copies. */
  readonly forward: (...operands: Tensor[]) => ArrayLike<number>;
  /**
   * The gradient of each operand, null for none, from that of the result, which differs from element to element:
   * dx[i] = Σⱼ gradient[j] · ∂y[j] / ∂x[i].
   */
  readonly backward: (
    gradient: Float32Array,
    result: Tensor,
    ...operands: Tensor[]
  ) => readonly (ArrayLike<number> | null)[];
}

/**
 * An op of your own, in JavaScript on typed arrays. In a plan neither function is called, so the shape must follow from shapes
 * alone. Throws ShapeError by the op's name where a function returns another number of elements.
 *
 * @example
 * const cube = ops.customOp({
 *   name: "cube",
 *   forward: (x) => x.data.map((v) => v ** 3),
 *   backward: (gradient, _, x) => [gradient.map((g, i) => 3 * g * x.data[i]! ** 2)],
 * });
 * const y = cube(x);
 */
export function customOp(definition: CustomOp): (...operands: Value[]) => Value {
  const { name = "customOp", shape = (first) => first!, forward, backward } = definition;
  return (...operands) => {
    if (operands.length === 0) throw new StateError(`${name}: no operand was given, expected at least one Value`);
    const { tape } = operands[0]!;
    tape.needsWholeBatch = true; // it may read across rows
    const y = tape.value(shape(...operands.map((x) => x.shape)), operands);
    const view = (ptr: Ptr, of: Shape) => tape.memory.f32(ptr, sizeOf(of));
    const numbersOf = (x: Value): Tensor => ({ data: view(x.ptr, x.shape).slice(), shape: x.shape });
    const expectSize = (what: string, numbers: ArrayLike<number>, of: Shape) => {
      if (numbers?.length === sizeOf(of)) return;
      throw new ShapeError(
        `${name}: ${what} has ${numbers?.length ?? "no"} numbers, expected ${sizeOf(of)} for shape ${formatShape(of)}`,
      );
    };
    if (!tape.planning) {
      const numbers = forward(...operands.map(numbersOf));
      expectSize("the result of forward", numbers, y.shape);
      view(y.ptr, y.shape).set(numbers);
    }
    tape.record(y, [...new Set([...operands, y])], (dy) => {
      const gradients = operands.map((x) => (x.needsGrad ? tape.gradient(x) : null));
      if (tape.planning) return;
      const found = backward(view(dy, y.shape).slice(), numbersOf(y), ...operands.map(numbersOf));
      if (found.length !== operands.length) {
        throw new ShapeError(
          `${name}: backward has ${found.length} gradients, expected one for each of ${operands.length} operands`,
        );
      }
      for (const [i, x] of operands.entries()) {
        const [to, added] = [gradients[i]!, found[i]!];
        if (to === null || added === null) continue;
        expectSize(`gradient ${i} of backward`, added, x.shape);
        const gradient = view(to, x.shape);
        for (let e = 0; e < gradient.length; e++) gradient[e]! += added[e]!;
      }
    });
    return y;
  };
}
