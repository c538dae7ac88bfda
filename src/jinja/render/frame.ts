/** The names that a statement sees: its own scope's, then those of the scopes around it, then the caller's. */
import type { Scope } from "../syntax/nodes.ts";
import type { PyValue } from "../values/values.ts";

export class Frame {
  readonly parent: Frame | null;
  readonly #masked: ReadonlySet<string>;
  readonly #names = new Map<string, PyValue>();
  /** Whether it is one turn of a loop. */
  readonly isTurn: boolean;
  /** The number of the message that this turn of a loop is about. */
  message: number | null = null;

  constructor(parent: Frame | null, scope: Scope, isTurn = false) {
    this.parent = parent;
    this.#masked = scope.masked;
    this.isTurn = isTurn;
  }

  set(name: string, value: PyValue): void {
    this.#names.set(name, value);
  }

  /** The value of a name; null where it is masked, undefined where no scope has it. */
  get(name: string): { readonly value: PyValue } | null | undefined {
    for (let frame: Frame | null = this; frame !== null; frame = frame.parent) {
      const value = frame.#names.get(name);
      if (value !== undefined) return { value };
      if (frame.#masked.has(name)) return null;
    }
    return undefined;
  }

  root(): Frame {
    let frame: Frame = this;
    while (frame.parent !== null) frame = frame.parent;
    return frame;
  }

  /** The message that the innermost such loop around is about. */
  currentMessage(): number | null {
    for (let frame: Frame | null = this; frame !== null; frame = frame.parent) {
      if (frame.message !== null) return frame.message;
    }
    return null;
  }
}
