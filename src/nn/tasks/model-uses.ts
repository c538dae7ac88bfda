/** Calls on one model that last over several turns of the event loop and allow no change to it meanwhile. */
import { StateError } from "../../core/errors.ts";

/** A use of a model that excludes others, for messages. */
export interface ModelUse {
  /** The call, as messages name it: "train". */
  readonly call: string;
  /** What the model does meanwhile: "is being trained". */
  readonly what: string;
  /** What the caller of another function can do. */
  readonly next: string;
}

/** The uses of a model that exclude others. */
export class ModelUses {
  #running: ModelUse | null = null;

  /** Whether a use is under way. */
  get any(): boolean {
    return this.#running !== null;
  }

  /** Runs `body` as the only use of the model. Throws StateError, before it starts, if another is under way. */
  async during<T>(use: ModelUse, body: () => Promise<T>): Promise<T> {
    this.expectNone(use.call);
    this.#running = use;
    try {
      return await body();
    } finally {
      this.#running = null;
    }
  }

  /** Throws StateError, which names `doing` and the use, if one is under way. */
  expectNone(doing: string): void {
    if (this.#running === null) return;
    const { what, next } = this.#running;
    throw new StateError(`${doing}: the model ${what}; ${next}`);
  }
}
