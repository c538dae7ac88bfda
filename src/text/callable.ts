/** A class whose objects can be called, as transformers' tokenizers and pipelines are. */
export abstract class CallableObject {
  constructor() {
    const self = (...given: never[]) => (self as unknown as CallableObject).called(...given);
    // biome-ignore lint/correctness/noConstructorReturn: only a function can be called
    return Object.setPrototypeOf(self, Object.getPrototypeOf(this));
  }

  /** What a call does. */
  protected abstract called(...given: never[]): unknown;
}
