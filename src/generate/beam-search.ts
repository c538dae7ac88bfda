/**
 * Beam search: the likeliest sequences so far go on side by side, and of those that have ended the best is kept. As in
 * transformers, where it ends is a guess (see `EarlyStopping`) and a sequence counts
 *
 *   score = Σ log p(token) / length^lengthPenalty       (Wu et al. 2016)
 */

/**
 * When to stop looking, once as many sequences as beams have ended. true: at once. false: when the best running one, at its
 * present length, is no better than the worst of them. "never": the same with the length at which it could score best.
 */
export type EarlyStopping = boolean | "never";

export interface BeamOptions {
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: EarlyStopping;
  /** At most this many tokens. */
  readonly room: number;
  readonly stops: ReadonlySet<number>;
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
  #running: readonly Beam[] = [{ ids: [], score: 0 }];
  /** Best first, at most `numBeams`. */
  #ended: readonly Beam[] = [];

  constructor(options: BeamOptions) {
    this.#options = options;
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
   * Takes the logits [running · V] after each beam. Returns the beams that the new ones extend, or null when the search
   * is over.
   */
  advance(logits: Float32Array): number[] | null {
    const { numBeams, room, stops } = this.#options;
    const keep = Math.max(2, 1 + stops.size) * numBeams; // so that as many as beams go on, whatever ends
    const candidates = topCandidates(logits, this.#running, keep);
    const length = this.#running[0]!.ids.length + 1;
    const ends = ({ id }: Candidate) => length === room || stops.has(id);
    const made = (c: Candidate): Beam => ({ ids: [...this.#running[c.beam]!.ids, c.id], score: c.score });
    const ended = candidates.slice(0, numBeams).filter(ends).map(made);
    this.#end(ended, length);
    if (length === room) return null;
    const going = candidates.filter((c) => !ends(c)).slice(0, numBeams);
    this.#running = going.map(made);
    return this.#looksOn(length) ? going.map(({ beam }) => beam) : null;
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
function topCandidates(logits: Float32Array, beams: readonly Beam[], keep: number): Candidate[] {
  const vocabulary = logits.length / beams.length;
  const best: Candidate[] = [];
  beams.forEach(({ score }, beam) => {
    const row = logits.subarray(beam * vocabulary, (beam + 1) * vocabulary);
    const total = logSumExp(row);
    for (let id = 0; id < vocabulary; id++) {
      const sum = Math.fround(Math.fround(row[id]! - total) + score);
      if (best.length === keep && sum <= best[keep - 1]!.score) continue;
      const at = best.findIndex((other) => other.score < sum);
      best.splice(at < 0 ? best.length : at, 0, { beam, id, score: sum });
      if (best.length > keep) best.pop();
    }
  });
  return best;
}

function logSumExp(row: Float32Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return largest + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}
