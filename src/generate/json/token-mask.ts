/** Which tokens a grammar allows. */
import type { Automaton, State } from "./grammar.ts";

/** A tokenizer, as far as tokens are bytes. */
export interface TokenBytes {
  /** One more than the highest token number. */
  readonly vocabSize: number;
  /** The bytes that a token adds to a text; null for special tokens, which add none. */
  tokenBytes(id: number): Uint8Array | null;
}

/** Tokens by their bytes. */
interface Node {
  readonly ids: number[];
  readonly next: Map<number, Node>;
}

/** Tokens that begin alike are tried once for what they have in common, and what a state allows is found once. */
export class TokenMask {
  readonly #automaton: Automaton;
  readonly #tokens: TokenBytes;
  readonly #root: Node = { ids: [], next: new Map() };
  readonly #allowed = new Map<State, Int32Array>();

  constructor(automaton: Automaton, tokens: TokenBytes) {
    this.#automaton = automaton;
    this.#tokens = tokens;
    for (let id = 0; id < tokens.vocabSize; id++) this.#add(id);
  }

  #add(id: number): void {
    const codes = this.#tokens.tokenBytes(id);
    if (codes === null || codes.length === 0) return;
    let node = this.#root;
    for (const code of codes) {
      const next = node.next.get(code) ?? { ids: [], next: new Map() };
      node.next.set(code, next);
      node = next;
    }
    node.ids.push(id);
  }

  /** The ids of tokens that may come. */
  allowed(state: State): Int32Array {
    const known = this.#allowed.get(state);
    if (known) return known;
    const ids: number[] = [];
    const visit = (node: Node, reached: State) => {
      for (const [code, next] of node.next) {
        const after = this.#automaton.step(reached, code);
        if (after === null) continue;
        for (const id of next.ids) ids.push(id);
        visit(next, after);
      }
    };
    visit(this.#root, state);
    const found = Int32Array.from(ids);
    this.#allowed.set(state, found);
    return found;
  }

  /** The state after a token, null if it is not allowed. */
  after(state: State | null, id: number): State | null {
    const codes = this.#tokens.tokenBytes(id) ?? [];
    let reached = state;
    for (const code of codes) if (reached !== null) reached = this.#automaton.step(reached, code);
    return reached;
  }
}
