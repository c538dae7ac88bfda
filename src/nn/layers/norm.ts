import { layerNorm } from "../../ops/norm/layer-norm.ts";
import { rmsNorm } from "../../ops/norm/rms-norm.ts";
import type { Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";

/** x / √(mean(x²) + eps) · weight. */
export class RmsNorm {
  readonly kind = "norm";
  readonly name: string;
  weight: Weight; // [D]
  readonly bias = null;
  readonly eps: number;

  constructor(name: string, weight: Weight, eps: number) {
    this.name = name;
    this.weight = weight;
    this.eps = eps;
  }
  forward(x: Value): Value {
    return rmsNorm(x, this.weight, this.eps);
  }
}

/** (x − mean) / √(var + eps) · weight + bias. */
export class LayerNorm {
  readonly kind = "norm";
  readonly name: string;
  weight: Weight; // [D]
  bias: Weight; // [D]
  readonly eps: number;

  constructor(name: string, weight: Weight, bias: Weight, eps: number) {
    this.name = name;
    this.weight = weight;
    this.bias = bias;
    this.eps = eps;
  }
  forward(x: Value): Value {
    return layerNorm(x, this.weight, this.bias, this.eps);
  }
}
