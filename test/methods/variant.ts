/** One way of using a method, tried by test/methods.test.ts on a tiny Llama with biases. */
export interface Variant {
  readonly title: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Tensors whose gradient is not the loss's whole derivative, by the method's definition. */
  readonly heldConstant?: RegExp;
  /** Tensors that a step may leave as they were, because nothing depends on them here. */
  readonly silent?: RegExp;
  /** Whether a fresh adapter changes what the model says, by the method's definition. */
  readonly changesAtStart?: boolean;
  /** Whether it can become part of the weights; true where left out. */
  readonly merges?: boolean;
  /** Whether loading gives back what was trained, tensor by tensor; true where left out. */
  readonly reloads?: boolean;
}
