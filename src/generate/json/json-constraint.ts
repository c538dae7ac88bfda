/** Keeps a text to a JSON schema. */
import type { LogitsProcessor } from "../processors/logits-processor.ts";
import { Automaton, type State } from "./grammar.ts";
import { grammarOf, type JsonSchema } from "./json-schema.ts";
import { type TokenBytes, TokenMask } from "./token-mask.ts";

export class JsonConstraint {
  readonly #start: State;
  readonly #mask: TokenMask;
  readonly #stops: ReadonlySet<number>;

  /** Throws FormatError or UnsupportedError for a schema that cannot be kept to. `stops` are allowed where the JSON is whole. */
  constructor(schema: JsonSchema, tokenizer: TokenBytes, stops: ReadonlySet<number>) {
    const automaton = new Automaton(grammarOf(schema));
    this.#start = automaton.start;
    this.#mask = new TokenMask(automaton, tokenizer);
    this.#stops = stops;
  }

  /** Forbids tokens that cannot follow. `begin` tokens stand before the text. */
  processor(begin: number): LogitsProcessor {
    return (ids, scores) => {
      const state = this.#after(ids.slice(begin));
      const before = scores.slice();
      scores.fill(Number.NEGATIVE_INFINITY);
      if (state === null) return;
      for (const id of this.#mask.allowed(state)) if (id < scores.length) scores[id] = before[id]!;
      if (state.ends) for (const id of this.#stops) if (id < scores.length) scores[id] = before[id]!;
    };
  }

  /** Whether nothing can follow these ids but the end. */
  isComplete(ids: readonly number[]): boolean {
    const state = this.#after(ids);
    return state?.ends === true && state.stacks.length === 0;
  }

  #after(ids: readonly number[]): State | null {
    return ids.reduce<State | null>((state, id) => this.#mask.after(state, id), this.#start);
  }
}
