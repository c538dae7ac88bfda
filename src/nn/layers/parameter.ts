import type { Weight } from "../../tensor/tensor.ts";

/** A tensor that belongs to no layer, such as ViT's class token. `name` is the tensor's own. */
export class Parameter {
  readonly kind = "parameter";
  readonly name: string;
  weight: Weight;
  readonly bias = null;

  constructor(name: string, weight: Weight) {
    this.name = name;
    this.weight = weight;
  }
}
