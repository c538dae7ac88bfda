/**
 * Beam search: the likeliest sequences so far go on side by side, and of those that have ended the best is kept. As in
 * transformers, where it ends is a guess (see `EarlyStopping`) and a sequence counts
 *
 *   score = Σ log p(token) / length^lengthPenalty       (Wu et al. 2016)
 */

import type { Philox } from "../../core/random/philox.ts";
import { logSumExp } from "../processors/softmax.ts";
import { type Draft, expectChoice, logProbOf, type Search, type SearchOptions } from "./search.ts";

/**
 * When to stop looking, once as many sequences as beams have ended. true: at once. false: when the best running one, at its
 * present length, is no better than the worst of them. "never": the same with the length at which it could score best.
 */
export type EarlyStopping = boolean | "never";

/** Stands for a score that no sequence has, as in transformers: whatever it is of, others go first. */
const NONE = -1e9;

export interface BeamOptions extends SearchOptions {
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: EarlyStopping;
  /** Draws continuations, each at most once, by the probabilities of whole beams; null takes the likeliest. */
  readonly random?: Philox | null;
  /** How many sequences are wanted, 1 by default. */
  readonly wanted?: number;
}

/** A sequence with one more token, and the beam that it continues. */
interface Candidate {
  readonly beam: number;
  readonly id: number;
  readonly score: number;
  /** What candidates are ordered by. */
  readonly rank: number;
}

/** The beams of one search, without the model: which go on, which have ended, and whether to look on. */
export class BeamSearch implements Search {
  readonly #options: BeamOptions;
  #running: readonly Draft[];
  /** Best first, at most `numBeams`. */
  #ended: readonly Draft[] = [];

  constructor(options: BeamOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.numBeams }, (_, beam) => ({
      ...{ ids: [], logProbs: [], score: beam === 0 ? 0 : NONE },
    }));
  }

  /** The best sequences that have ended, and where there are too few, those that run. */
  get drafts(): readonly Draft[] {
    return [...this.#ended, ...this.#running].slice(0, this.#options.wanted ?? 1);
  }

  get lastIds(): number[] {
    return this.#running.map(({ ids }) => ids.at(-1)!);
  }

  advance(logits: Float32Array): number[] | null {
    const { numBeams, room, stops, random = null, isEnded = () => false } = this.#options;
    const keep = Math.max(2, 1 + stops.size) * numBeams; // so that as many as beams go on, whatever ends
    const length = this.#running[0]!.ids.length + 1;
    const rows = this.#rows(logits);
    const scores = this.#scores(rows);
    const candidates = topCandidates(scores, this.#running, keep, random).map((candidate) => {
      const { beam, id } = candidate;
      const ids = [...this.#running[beam]!.ids, id];
      const logProbs = [...this.#running[beam]!.logProbs, ...this.#logProb(rows[beam]!, scores[beam]!, id)];
      return { ...candidate, ids, logProbs, ends: length === room || stops.has(id) || isEnded(ids) };
    });
    this.#end(
      candidates.slice(0, numBeams).filter(({ ends }) => ends),
      length,
    );
    if (length === room) return null;
    const goingOn = candidates.map((each) => (each.ends ? { ...each, score: Math.fround(each.score + NONE) } : each));
    const going = goingOn.sort((a, b) => b.score - a.score || 0).slice(0, numBeams);
    this.#running = going.map(({ ids, logProbs, score }) => ({ ids, logProbs, score }));
    return this.#looksOn(length) ? going.map(({ beam }) => beam) : null;
  }

  /** The logits after each running beam: at first the same for all. */
  #rows(logits: Float32Array): Float32Array[] {
    const count = this.#running[0]!.ids.length === 0 ? 1 : this.#running.length;
    const vocabulary = logits.length / count;
    return this.#running.map((_, beam) =>
      logits.subarray((beam % count) * vocabulary, ((beam % count) + 1) * vocabulary),
    );
  }

  /** Log-probabilities of what follows each running beam, changed by the processors. */
  #scores(rows: readonly Float32Array[]): Float32Array[] {
    const { process = () => {} } = this.#options;
    return this.#running.map(({ ids }, beam) => {
      const row = rows[beam]!;
      const total = logSumExp(row);
      const scores = row.map((logit) => logit - total);
      process(ids, scores);
      expectChoice(scores, ids.length);
      return scores;
    });
  }

  #logProb(logits: Float32Array, scores: Float32Array, id: number): number[] {
    const { logProbs = null } = this.#options;
    if (logProbs === null) return [];
    return [logProbs === "raw" ? logProbOf(logits, id) : scores[id]!];
  }

  #end(sequences: readonly Draft[], length: number): void {
    const { numBeams } = this.#options;
    const scored = sequences.map(({ ids, logProbs, score }) => ({
      ...{ ids, logProbs, score: this.#penalised(score, length) },
    }));
    this.#ended = [...this.#ended, ...scored].sort((a, b) => b.score - a.score).slice(0, numBeams);
  }

  #looksOn(length: number): boolean {
    const { numBeams, lengthPenalty, earlyStopping, room } = this.#options;
    if (this.#ended.length < numBeams) return true;
    if (earlyStopping === true) return false;
    const farthest = earlyStopping === "never" && lengthPenalty > 0 ? room : length;
    return this.#penalised(this.#running[0]!.score, farthest) > this.#ended.at(-1)!.score;
  }

  #penalised(score: number, length: number): number {
    return Math.fround(score / length ** this.#options.lengthPenalty);
  }
}

/**
 * The `keep` best continuations of all beams, best first, or as many drawn without replacement, in the order of the draw: adding
 * noise of the Gumbel distribution to scores makes the largest a draw (Kool et al. 2019). Scores are in f32, as in transformers.
 */
function topCandidates(
  scores: readonly Float32Array[],
  beams: readonly Draft[],
  keep: number,
  random: Philox | null,
): Candidate[] {
  const best: Candidate[] = [];
  beams.forEach(({ score }, beam) => {
    scores[beam]!.forEach((own, id) => {
      const sum = Math.fround(own + score);
      const rank = random === null ? sum : sum - Math.log(-Math.log(random.uniform()));
      if (best.length === keep && rank <= best[keep - 1]!.rank) return;
      const at = best.findIndex((other) => other.rank < rank);
      best.splice(at < 0 ? best.length : at, 0, { beam, id, score: sum, rank });
      if (best.length > keep) best.pop();
    });
  });
  return best;
}
