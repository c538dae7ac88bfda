/** Hidden rows of the training data after the frozen lower blocks, kept for later epochs within a budget. */
import type { Spell } from "../core/options.ts";
import { bytesBehind, type FrozenBlocks, frozenBlocks, hasManyRows, rowsBehind } from "../nn/pass/frozen-rows.ts";
import type { GivenRows } from "../nn/pass/pass.ts";
import { concatenateLabelled, type LabelledSequences } from "../nn/pass/sequences.ts";
import type { TrainingExample } from "./check-examples.ts";
import { tokensOf } from "./objective.ts";
import type { Trainable } from "./trainable.ts";

/** The progress of a run's cache. */
export interface FrozenCacheReport {
  /** Blocks that are computed once for each kept example. */
  readonly blocks: number;
  readonly kept: number;
  readonly examples: number;
  readonly bytes: number;
}

export class FrozenCache {
  readonly #model: Trainable;
  readonly #examples: readonly TrainingExample[];
  readonly #budget: number;
  readonly #depth: number;
  readonly #width: number;
  readonly #kept = new Map<number, Float32Array>();
  /** The number of rows of the examples seen so far. */
  readonly #counts = new Map<number, number>();
  #bytes = 0;

  private constructor(model: Trainable, examples: readonly TrainingExample[], budget: number, blocks: FrozenBlocks) {
    this.#model = model;
    this.#examples = examples;
    this.#budget = budget;
    this.#depth = blocks.depth;
    this.#width = blocks.width;
  }

  /** A cache of at most `budget` bytes, or null, with a warning that gives the reason, if no block can be skipped. */
  static open(
    model: Trainable,
    examples: readonly TrainingExample[],
    budget: number,
    { warn, spell }: { readonly warn: (text: string) => void; readonly spell: Spell },
  ): FrozenCache | null {
    const blocks = frozenBlocks(model, concatenateLabelled(examples.slice(0, 1)));
    const steady = examples.every((example) => tokensOf(example) <= model.steadyLength);
    const problem = steady ? problemWith(blocks, spell) : UNSTEADY;
    if (problem !== null) warn(`${spell("cacheFrozen")}: ${problem}`);
    return steady && blocks !== null && blocks.depth > 0 ? new FrozenCache(model, examples, budget, blocks) : null;
  }

  get report(): FrozenCacheReport {
    return { blocks: this.#depth, kept: this.#kept.size, examples: this.#examples.length, bytes: this.#bytes };
  }

  /** Forgets all rows: the model may have changed since they were computed. */
  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** The rows of a batch for a plan: nothing is computed. */
  get planned(): GivenRows {
    return { depth: this.#depth, width: this.#width, rows: new Float32Array() };
  }

  /** Bytes of working memory for computing the rows of the largest of `batches`. */
  plannedBytes(batches: Iterable<readonly number[]>): number {
    const seen = new Set<string>();
    let bytes = 0;
    for (const indices of batches) {
      const lengths = indices.map((i) => tokensOf(this.#examples[i]!));
      const shape = `${lengths.reduce((sum, n) => sum + n, 0)}/${Math.max(...lengths)}/${lengths.length}`;
      if (seen.has(shape)) continue;
      seen.add(shape);
      bytes = Math.max(bytes, bytesBehind(this.#model, this.#batch(indices), this.#depth));
    }
    return bytes;
  }

  /**
   * The rows of a batch; those that are not cached are computed. The first examples are cached until the budget is used
   * up.
   */
  rowsOf(indices: readonly number[]): GivenRows {
    const computed = this.#compute(this.#lacking(indices));
    const parts = indices.map((i) => computed.get(i) ?? this.#kept.get(i)!);
    for (const [i, { length }] of computed) this.#counts.set(i, length / this.#width);
    if (this.#manyRows(indices)) for (const [i, rows] of computed) this.#keep(i, rows);
    const rows = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      rows.set(part, at);
      at += part.length;
    }
    return { ...this.planned, rows };
  }

  /** The part of a batch that must be computed so that its rows have the same bits as in the complete batch. */
  #lacking(indices: readonly number[]): number[] {
    if (!this.#manyRows(indices)) return [...indices];
    const lacking = indices.filter((i) => !this.#kept.has(i));
    const others = indices.filter((i) => this.#kept.has(i));
    while (lacking.length > 0 && !this.#manyRows(lacking)) lacking.push(others.pop()!);
    return lacking;
  }

  /**
   * An example that was not seen yet has at least one row per token; virtual tokens and image patches are added to
   * that.
   */
  #manyRows(indices: readonly number[]): boolean {
    return hasManyRows(indices.reduce((sum, i) => sum + (this.#counts.get(i) ?? tokensOf(this.#examples[i]!)), 0));
  }

  #compute(indices: readonly number[]): Map<number, Float32Array> {
    if (indices.length === 0) return new Map();
    const rows = rowsBehind(this.#model, this.#batch(indices), this.#depth);
    return new Map(indices.map((i, s) => [i, rows[s]!]));
  }

  #batch(indices: readonly number[]): LabelledSequences {
    return concatenateLabelled(indices.map((i) => this.#examples[i]!));
  }

  #keep(index: number, rows: Float32Array): void {
    if (this.#kept.has(index) || this.#bytes + rows.byteLength > this.#budget) return;
    this.#kept.set(index, rows);
    this.#bytes += rows.byteLength;
  }
}

const UNSTEADY = "nothing can be kept, because rows depend on the length of their batch (rope_scaling)";

function problemWith(blocks: FrozenBlocks | null, spell: Spell): string | null {
  if (blocks === null) {
    return "nothing can be cached, because an active adapter is not trained or several adapters run in parallel; deactivate the adapters that are not trained";
  }
  const { depth, above, endedBy } = blocks;
  const kept = depth === 0 ? "nothing can be cached" : `only ${depth} blocks can be skipped`;
  if (endedBy === "dropout") {
    const upTo = above === null ? "the last block" : `"${above}"`;
    return `${kept}, because dropout is active in frozen layers below ${upTo}; set ${spell("dropout")} to 0`;
  }
  if (depth > 0) return null;
  return `nothing can be cached, because training changes "${above}" or layers below it; adapt only upper layers (${spell("layersToTransform")})`;
}
