/** Texts that are allowed, byte by byte. */

/** What may come. Recursion goes by way of `later`. */
export type Grammar =
  | { readonly kind: "byte"; readonly allowed: ReadonlySet<number> }
  | { readonly kind: "sequence"; readonly parts: readonly Grammar[] }
  | { readonly kind: "choice"; readonly of: readonly Grammar[] }
  | { readonly kind: "repeat"; readonly of: Grammar; readonly least: number; readonly most: number }
  | { readonly kind: "later"; readonly get: () => Grammar };

/** One byte of these: letters, or ranges [first, last]. */
export function byte(...ranges: readonly (string | readonly [number, number])[]): Grammar {
  const allowed = new Set<number>();
  for (const range of ranges) {
    if (typeof range === "string") for (const letter of range) allowed.add(letter.charCodeAt(0));
    else for (let code = range[0]; code <= range[1]; code++) allowed.add(code);
  }
  return { kind: "byte", allowed };
}

/** Exactly this text, in UTF-8. */
export function literal(text: string): Grammar {
  return sequence(...Array.from(new TextEncoder().encode(text), (code) => byte([code, code])));
}

export function sequence(...parts: readonly Grammar[]): Grammar {
  return { kind: "sequence", parts };
}

export function choice(...of: readonly Grammar[]): Grammar {
  return { kind: "choice", of };
}

export function repeat(of: Grammar, least = 0, most = Number.POSITIVE_INFINITY): Grammar {
  return { kind: "repeat", of, least, most };
}

export function later(get: () => Grammar): Grammar {
  return { kind: "later", get };
}

/** What is still to come: a grammar, and all that follows it. */
interface Stack {
  readonly id: number;
  readonly top: Grammar;
  readonly rest: Stack | null;
}

/** Where a text may be: several stacks, where it can be read in several ways. */
export interface State {
  /** Each has a byte at the top. */
  readonly stacks: readonly Stack[];
  /** Whether the text may end here. */
  readonly ends: boolean;
  /** By byte, filled in on demand; null where the byte is not allowed. */
  readonly next: (State | null)[];
}

/** Reads texts of a grammar. Equal states are one object, so that what follows from them is found once. */
export class Automaton {
  readonly start: State;
  readonly #stacks = new Map<Grammar, Map<Stack | null, Stack>>();
  readonly #repeats = new Map<Grammar, Map<string, Grammar>>();
  readonly #states = new Map<string, State>();
  #count = 0;

  constructor(grammar: Grammar) {
    this.start = this.#state([this.#push(grammar, null)]);
  }

  /** The state after one more byte, null if it is not allowed. */
  step(state: State, code: number): State | null {
    const known = state.next[code];
    if (known !== undefined) return known;
    const fitting = state.stacks.filter(({ top }) => top.kind === "byte" && top.allowed.has(code));
    const next = fitting.length === 0 ? null : this.#state(fitting.map(({ rest }) => rest));
    state.next[code] = next;
    return next;
  }

  #state(stacks: readonly (Stack | null)[]): State {
    const seen = new Set<Stack | null>();
    for (const stack of stacks) this.#open(stack, seen);
    const found = [...seen].filter((stack) => stack?.top.kind === "byte") as Stack[];
    const ends = seen.has(null);
    const key = `${found.map(({ id }) => id).sort((a, b) => a - b)} ${ends}`;
    const state = this.#states.get(key) ?? { stacks: found, ends, next: [] };
    this.#states.set(key, state);
    return state;
  }

  /** Expands a stack: adds it, and every stack that its top rule can become. */
  #open(stack: Stack | null, seen: Set<Stack | null>): void {
    if (seen.has(stack)) return;
    seen.add(stack);
    if (stack === null) return;
    const { top, rest } = stack;
    if (top.kind === "sequence")
      this.#open(
        top.parts.reduceRight<Stack | null>((after, part) => this.#push(part, after), rest),
        seen,
      );
    else if (top.kind === "choice") for (const each of top.of) this.#open(this.#push(each, rest), seen);
    else if (top.kind === "later") this.#open(this.#push(top.get(), rest), seen);
    else if (top.kind === "repeat") {
      if (top.least === 0) this.#open(rest, seen);
      if (top.most > 0) this.#open(this.#push(top.of, this.#push(this.#once(top), rest)), seen);
    }
  }

  /** The repetition after one of it. */
  #once({ of, least, most }: Grammar & { kind: "repeat" }): Grammar {
    const known = this.#repeats.get(of) ?? new Map<string, Grammar>();
    this.#repeats.set(of, known);
    const key = `${Math.max(0, least - 1)} ${most - 1}`;
    const next = known.get(key) ?? repeat(of, Math.max(0, least - 1), most - 1);
    known.set(key, next);
    return next;
  }

  #push(top: Grammar, rest: Stack | null): Stack {
    const known = this.#stacks.get(top) ?? new Map<Stack | null, Stack>();
    this.#stacks.set(top, known);
    const stack = known.get(rest) ?? { id: this.#count++, top, rest };
    known.set(rest, stack);
    return stack;
  }
}
