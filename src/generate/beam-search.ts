/**
 * Beam search: the likeliest sequences so far go on side by side, and of those that have ended the best is kept. As in
 * transformers, where it ends is a guess (see `EarlyStopping`) and a sequence counts
 *
 *   score = Σ log p(token) / length^lengthPenalty       (Wu et al. 2016)
 */

import { logSumExp } from "./softmax.ts";

/**
 * When to stop looking, once as many sequences as beams have ended. true: at once. false: when the best running one, at its
 * present length, is no better than the worst of them. "never": the same with the length at which it could score best.
 */
export type EarlyStopping = boolean | "never";

/** Stands for a score that no sequence has, as in transformers: whatever it is of, others go first. */
const NONE = -1e9;

export interface BeamOptions {
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: EarlyStopping;
  /** At most this many tokens. */
  readonly room: number;
  readonly stops: ReadonlySet<number>;
  /** Changes log-probabilities [V] of what follows `ids`. */
  readonly process?: (ids: readonly number[], scores: Float32Array) => void;
  /** Whether ids are at an end for another reason than their last one. */
  readonly isEnded?: (ids: readonly number[]) => boolean;
}

/** A sequence and its score: the sum of log-probabilities while it is written, over length^lengthPenalty once it has ended. */
export interface Beam {
  readonly ids: readonly number[];
  readonly score: number;
}

/** A sequence with one more token, and the beam that it continues. */
interface Candidate {
  readonly beam: number;
  readonly id: number;
  readonly score: number;
}

/** The beams of one search, without the model: which go on, which have ended, and whether to look on. */
export class BeamSearch {
  readonly #options: BeamOptions;
  #running: readonly Beam[];
  /** Best first, at most `numBeams`. */
  #ended: readonly Beam[] = [];

  constructor(options: BeamOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.numBeams }, (_, beam) => ({ ids: [], score: beam === 0 ? 0 : NONE }));
  }

  /** The best sequence that has ended, or else the best that runs. */
  get best(): Beam {
    return this.#ended[0] ?? this.#running[0]!;
  }

  /** The last ids of the running beams: what the model is given next. */
  get lastIds(): number[] {
    return this.#running.map(({ ids }) => ids.at(-1)!);
  }

  /**
   * Takes the logits [running · V] after each beam, at first [V]. Returns the beams that the new ones extend, or null
   * when the search is over.
   */
  advance(logits: Float32Array): number[] | null {
    const { numBeams, room, stops, isEnded = () => false } = this.#options;
    const keep = Math.max(2, 1 + stops.size) * numBeams; // so that as many as beams go on, whatever ends
    const length = this.#running[0]!.ids.length + 1;
    const candidates = topCandidates(this.#scores(logits), this.#running, keep).map((candidate) => {
      const ids = [...this.#running[candidate.beam]!.ids, candidate.id];
      return { ...candidate, ids, ends: length === room || stops.has(candidate.id) || isEnded(ids) };
    });
    this.#end(
      candidates.slice(0, numBeams).filter(({ ends }) => ends),
      length,
    );
    if (length === room) return null;
    const goingOn = candidates.map((each) => (each.ends ? { ...each, score: Math.fround(each.score + NONE) } : each));
    const going = goingOn.sort((a, b) => b.score - a.score || 0).slice(0, numBeams);
    this.#running = going.map(({ ids, score }) => ({ ids, score }));
    return this.#looksOn(length) ? going.map(({ beam }) => beam) : null;
  }

  /** Log-probabilities of what follows each running beam, changed by the processors. */
  #scores(logits: Float32Array): Float32Array[] {
    const { process = () => {} } = this.#options;
    const rows = this.#running[0]!.ids.length === 0 ? 1 : this.#running.length;
    const vocabulary = logits.length / rows;
    return this.#running.map(({ ids }, beam) => {
      const start = (beam % rows) * vocabulary;
      const row = logits.subarray(start, start + vocabulary);
      const total = logSumExp(row);
      const scores = row.map((logit) => logit - total);
      process(ids, scores);
      return scores;
    });
  }

  #end(sequences: readonly Beam[], length: number): void {
    const { numBeams } = this.#options;
    const scored = sequences.map(({ ids, score }) => ({ ids, score: this.#penalised(score, length) }));
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

/** The `keep` best continuations of all beams, best first. Scores are in f32, as in transformers. */
function topCandidates(scores: readonly Float32Array[], beams: readonly Beam[], keep: number): Candidate[] {
  const best: Candidate[] = [];
  beams.forEach(({ score }, beam) => {
    scores[beam]!.forEach((own, id) => {
      const sum = Math.fround(own + score);
      if (best.length === keep && sum <= best[keep - 1]!.score) return;
      const at = best.findIndex((other) => other.score < sum);
      best.splice(at < 0 ? best.length : at, 0, { beam, id, score: sum });
      if (best.length > keep) best.pop();
    });
  });
  return best;
}
