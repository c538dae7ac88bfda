/** Each token the likeliest, or drawn. */
import type { Philox } from "../../core/random/philox.ts";
import { argmax } from "../../core/scores.ts";
import { sample } from "./sample.ts";
import { type Draft, expectChoice, logProbOf, type Search, type SearchOptions } from "./search.ts";

export interface TokenSearchOptions extends SearchOptions {
  /** One for each text, to draw its tokens; null takes the likeliest. */
  readonly randoms: readonly (Philox | null)[];
}

interface Growing extends Draft {
  readonly ids: number[];
  readonly logProbs: number[];
  readonly random: Philox | null;
}

/** Texts of one prompt that are written side by side and have nothing to do with each other. */
export class TokenSearch implements Search {
  readonly drafts: readonly Growing[];
  readonly #options: TokenSearchOptions;
  #going: readonly Growing[];

  constructor(options: TokenSearchOptions) {
    this.#options = options;
    this.drafts = options.randoms.map((random) => ({ ids: [], logProbs: [], score: 0, random }));
    this.#going = this.drafts;
  }

  get lastIds(): number[] {
    return this.#going.map(({ ids }) => ids.at(-1)!);
  }

  advance(logits: Float32Array): number[] | null {
    const { room, stops, isEnded = () => false } = this.#options;
    const isFirst = this.#going[0]!.ids.length === 0;
    const vocabulary = logits.length / (isFirst ? 1 : this.#going.length);
    const going = Array.from(this.#going.entries()).filter(([row, text]) => {
      const start = isFirst ? 0 : row * vocabulary;
      const id = this.#choose(text, logits.subarray(start, start + vocabulary));
      return text.ids.length < room && !stops.has(id) && !isEnded(text.ids);
    });
    this.#going = going.map(([, text]) => text);
    return going.length === 0 ? null : going.map(([row]) => row);
  }

  #choose({ ids, logProbs, random }: Growing, logits: Float32Array): number {
    const { process, logProbs: kind = null } = this.#options;
    const scores = logits.slice();
    process?.(ids, scores);
    expectChoice(scores, ids.length);
    const id = random === null ? argmax(scores) : sample(scores, random);
    ids.push(id);
    if (kind !== null) logProbs.push(logProbOf(kind === "raw" ? logits : scores, id));
    return id;
  }
}
