import { linear } from "../../ops/linear/linear.ts";
import type { Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";

/**
 * A convolution whose stride is its size: a linear layer over patches arranged as rows (see src/ops/layout/patches.ts).
 */
export class PatchConvolution {
  readonly kind = "convolution";
  readonly name: string;
  /** [D, C, p, p] as published. */
  weight: Weight;
  bias: Weight; // [D]

  constructor(name: string, weight: Weight, bias: Weight) {
    this.name = name;
    this.weight = weight;
    this.bias = bias;
  }

  /** Patches [N, C·p·p] → [N, D]. */
  forward(patches: Value): Value {
    return linear(patches, this.weight, "out-in", this.bias);
  }
}
