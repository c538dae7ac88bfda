/** Shared by the layers of one forward pass: the tape, the tokens, their positions and the attention ranges. */
import { FormatError } from "../../core/errors.ts";
import {
  type AttentionShape,
  attendKept,
  attention,
  type Heads,
  type KeptHeads,
  type Segments,
} from "../../ops/attention/attention.ts";
import type { RelativeBias } from "../../ops/attention/relative-bias.ts";
import type { Ids } from "../../ops/embed/embedding.ts";
import { sliceColumns } from "../../ops/layout/columns.ts";
import { insertRows } from "../../ops/layout/rows.ts";
import { dropout } from "../../ops/pointwise/dropout.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { type BatchInput, type InputKind, rowStarts } from "./inputs.ts";
import type { KvCache } from "./kv-cache.ts";
import { expectIds, expectSequences, type SequenceRows, type Sequences } from "./sequences.ts";
import type { Stack, VirtualRows, VirtualTokens } from "./virtual-tokens.ts";

/** How a pass runs. */
export interface PassOptions {
  readonly cache?: KvCache | null;
  /** Replaces every dropout probability of the model's config. */
  readonly dropout?: number | null;
  /** Virtual tokens of each sequence; a single entry applies to all sequences. */
  readonly virtual?: readonly (VirtualTokens | null)[];
  /** Called before each block of the first stack and after the last. It may throw to end the pass there. */
  readonly watch?: ((boundary: Boundary) => void) | undefined;
  /** Rows that replace running the lower blocks of the first stack. */
  readonly given?: GivenRows | undefined;
}

/** A boundary between two blocks of a stack. */
export interface Boundary extends SequenceRows {
  /** The number of blocks below. */
  readonly depth: number;
  /** Published name of the block above, null after the last. */
  readonly block: string | null;
  /** Hidden rows [T, D], virtual tokens included. */
  readonly x: Value;
}

/** Hidden rows [T, width] of a batch after `depth` blocks. A plan does not read them. */
export interface GivenRows {
  readonly depth: number;
  readonly width: number;
  readonly rows: Float32Array;
}

/** The rows of a pass, or selected rows, with the data that layers over them need. */
export interface PassRows extends SequenceRows {
  dropout(x: Value, p: number): Value;
}

/** The options of a pass that runs all of its blocks without observers. */
export function allBlocks({ watch: _, given: __, ...options }: PassOptions): PassOptions {
  return options;
}

/** The limits of a stack of layers. */
export interface PassLimits {
  readonly stack: Stack;
  readonly vocabSize: number;
  /** The longest sequence that the positions allow, including virtual tokens. */
  readonly contextLength: number;
  /** RoBERTa's rule: positions start after this id, and tokens with this id have it as their position. */
  readonly paddingId?: number | null;
  /** The kinds of input that it accepts in addition to ids or instead of them. */
  readonly inputs?: readonly InputKind[];
}

/** One of a stack's equal parts. `shared` is passed to all of them, such as rotations. */
export interface Block<Shared extends readonly unknown[]> {
  /** Published name, such as "model.layers.0". */
  readonly name: string;
  /** An address in the memory that has its weights. */
  readonly near?: Ptr;
  /** [T, D] → [T, D] */
  run(x: Value, pass: Pass, ...shared: Shared): Value;
}

/** One pass over the sequences of a batch. */
export class Pass implements PassRows {
  readonly tape: Tape;
  readonly stack: Stack;
  readonly sequences: Sequences;
  /** The given tokens, without virtual ones. */
  readonly ids: Ids;
  /** Rows of the activations of each sequence, virtual tokens included: [starts[s], starts[s + 1]). */
  readonly starts: Int32Array;
  /** Positions of those rows as ids, for models that embed them. */
  readonly positions: Ids;
  /** One more than the largest position in a sequence, including virtual ones. */
  readonly length: number;
  readonly #segments: Segments;
  readonly #limits: PassLimits;
  readonly #options: PassOptions;
  readonly #cache: KvCache | null;
  readonly #dropout: number | null;
  readonly #rows: readonly (VirtualRows | null)[];
  /** Virtual keys before each sequence. */
  readonly #prefixes: Int32Array;
  /** Virtual rows before each sequence. */
  readonly #prompts: Int32Array;

  constructor(tape: Tape, sequences: Sequences, limits: PassLimits, options: PassOptions = {}) {
    expectSequences(sequences);
    const { ids } = sequences;
    const starts = rowStarts(sequences.inputs ?? [], limits.inputs ?? [], sequences.starts);
    this.tape = tape;
    this.stack = limits.stack;
    this.sequences = sequences;
    this.#limits = limits;
    this.#options = options;
    this.#cache = options.cache ?? null;
    this.#dropout = options.dropout ?? null;
    expectIds("input ids", ids, limits.vocabSize);
    const past = this.#cache?.lengths ?? new Int32Array(starts.length - 1);
    const virtual = past.map((before) => Number(before === 0)); // virtual tokens stand before the first token only
    const given = Array.from(past, (_, s) => (virtual[s] ? virtualOf(options, s) : null));
    this.#rows = begun(tape, given, limits.stack);
    this.#prompts = past.map((_, s) => given[s]?.promptLength(limits.stack) ?? 0);
    this.#prefixes = past.map((_, s) => given[s]?.prefixLength(limits.stack) ?? 0);
    this.starts = shifted(starts, this.#prompts);
    const counts = past.map((_, s) => this.starts[s + 1]! - this.starts[s]! + this.#prefixes[s]!);
    this.#cache?.expectRoom(counts);
    this.length = counts.reduce((longest, count, s) => Math.max(longest, past[s]! + count), 0);
    if (this.length > limits.contextLength) {
      throw new FormatError(
        `a sequence of ${this.length} tokens is longer than the model's context of ${limits.contextLength}: shorten it`,
      );
    }
    const positions = this.#positionsAfter(past, limits.paddingId ?? null);
    this.ids = tape.ids(ids);
    this.positions = tape.ids(positions);
    this.#segments = Object.assign(tape.ids(this.#quadruples(past)), {
      count: past.length,
      lengths: Array.from(past, (before, s) => [this.starts[s + 1]! - this.starts[s]!, before + counts[s]!] as const),
    });
  }

  /** The required reach of a relative bias: with a cache, its capacity, so that every step needs the same memory. */
  get reach(): number {
    return this.#cache?.shape.capacity ?? this.length;
  }

  /** A pass of the decoder in the same step, over other ids, with the same dropout and virtual tokens. */
  ofDecoder(sequences: Sequences): Pass {
    const limits: PassLimits = { ...this.#limits, stack: "decoder" };
    return new Pass(this.tape, sequences, limits, { ...allBlocks(this.#options), cache: null });
  }

  /** Virtual rows before the tokens of sequence s. */
  promptLength(s: number): number {
    return this.#prompts[s]!;
  }

  #positionsAfter(past: Int32Array, paddingId: number | null): Int32Array {
    const { ids, starts } = this.sequences;
    const positions = new Int32Array(this.starts.at(-1)!);
    past.forEach((before, s) => {
      const first = before + this.#prefixes[s]!;
      let real = 0;
      for (let row = this.starts[s]!; row < this.starts[s + 1]!; row++) {
        const at = row - this.starts[s]!;
        const id = ids[starts[s]! + at];
        const padding = paddingId !== null && this.#prompts[s] === 0 && id === paddingId;
        if (padding) positions[row] = paddingId;
        else positions[row] = paddingId === null ? first + at : first + paddingId + ++real;
      }
    });
    return positions;
  }

  /** qStart, qEnd, kStart, kEnd of each sequence: keys are the pass's own rows after their prefix, or the cache's. */
  #quadruples(past: Int32Array): Int32Array {
    const keys = shifted(this.starts, this.#prefixes);
    return Int32Array.from(
      Array.from(past).flatMap((before, s) => {
        const count = before + keys[s + 1]! - keys[s]!;
        const first = this.#cache?.firstRow(s) ?? keys[s]!;
        return [this.starts[s]!, this.starts[s + 1]!, first, first + count];
      }),
    );
  }

  /** Some of this pass's rows, in order, for activations without the others. */
  picked(rows: Int32Array): PassRows {
    return {
      starts: this.starts.map((start) => rows.filter((row) => row < start).length),
      dropout: (x, p) => this.dropout(x, p),
    };
  }

  /**
   * Runs the blocks of a stack, starting with the result of `embed` for the first, or with given rows for a later one
   * (see `PassOptions`). The input of a block is freed as soon as neither the next block nor the backward pass needs
   * it.
   */
  through<Shared extends readonly unknown[]>(
    blocks: readonly Block<Shared>[],
    embed: () => Value,
    ...shared: Shared
  ): Value {
    const { tape } = this;
    const { given, watch } = this.#options;
    const first = blocks[given?.depth ?? 0]?.near ?? (0 as Ptr);
    let x = tape.at(first, () => (given ? this.#given(given) : tape.scope(embed)));
    for (let depth = given?.depth ?? 0; ; depth++) {
      watch?.({ depth, x, starts: this.starts, block: blocks[depth]?.name ?? null });
      const block = blocks[depth];
      if (!block) return x;
      const y = tape.at(block.near ?? (0 as Ptr), () =>
        tape.block(block.name, x, (rows) => block.run(rows, this, ...shared)),
      );
      if (y !== x) tape.release(x);
      x = y;
    }
  }

  #given({ rows, width }: GivenRows): Value {
    const x = this.tape.value([this.starts.at(-1)!, width]);
    if (!this.tape.planning) this.tape.memory.f32(x.ptr, rows.length).set(rows);
    return x;
  }

  /** The numbers of all sequences for a kind that the model accepts. */
  input(kind: string): BatchInput {
    return this.sequences.inputs!.find((input) => input.kind === kind)!;
  }

  /** The tokens' rows of the embedding, with the virtual ones before them, [rows, D]. */
  embed(tokens: { forward(ids: Ids): Value }): Value {
    const rows = tokens.forward(this.ids);
    if (this.#prompts.every((count) => count === 0)) return rows;
    const { starts, taskIds } = this.sequences;
    const prompts = this.#rows.map((virtual, s) => virtual?.prompt(taskIds?.[s] ?? 0) ?? null);
    return insertRows(rows, starts, prompts);
  }

  /** A number for each row, given one for each id: BERT's token types, 0 for virtual tokens. */
  perRow(numbers: Int32Array | undefined): Ids {
    const all = new Int32Array(this.starts.at(-1)!);
    const { starts } = this.sequences;
    for (let s = 0; numbers && s + 1 < starts.length; s++) {
      all.set(numbers.subarray(starts[s], starts[s + 1]), this.starts[s]! + this.#prompts[s]!);
    }
    return this.tape.ids(all);
  }

  /** Attention of one layer to its own rows; keys and values go through the cache when there is one. */
  attend(layer: number, q: Heads, k: Heads, v: Heads, shape: AttentionShape, bias: RelativeBias | null = null): Value {
    const [keys, values] = this.#prefixed(layer, k, v, shape);
    if (!this.#cache) return attention(q, keys, values, shape, this.#segments, bias);
    const starts = shifted(this.starts, this.#prefixes);
    this.#cache.append(layer, 0, keys, starts);
    this.#cache.append(layer, 1, values, starts);
    return attendKept(q, this.#cache.layer(layer, 0), this.#cache.layer(layer, 1), shape, this.#segments, bias);
  }

  /** Keys and values after the layer's prefix, if there is one. */
  #prefixed(layer: number, k: Heads, v: Heads, { kvHeads, headDim }: AttentionShape): [Heads, Heads] {
    if (this.#prefixes.every((count) => count === 0)) return [k, v];
    const made = new Map(Array.from(new Set(this.#rows), (virtual) => [virtual, virtual?.prefix(layer) ?? null]));
    const rows = this.#rows.map((virtual) => made.get(virtual) ?? null);
    const behind = (heads: Heads, part: "k" | "v"): Heads => ({
      value: insertRows(
        columnsOf(heads, kvHeads * headDim),
        this.starts,
        rows.map((row) => row?.[part] ?? null),
      ),
      column: 0,
    });
    return [behind(k, "k"), behind(v, "v")];
  }

  /** Attention of these rows to those of another pass, sequence by sequence (an encoder's). Not causal. */
  attendOver(memory: Pass, q: Heads, k: Heads, v: Heads, shape: AttentionShape): Value {
    return attention(
      q,
      k,
      v,
      shape,
      this.#segmentsOver(memory.starts, (s) => s),
    );
  }

  /** The same over keys and values kept from an earlier step; `sourceOf` gives the source that a sequence reads. */
  attendOverKept(
    starts: Int32Array,
    sourceOf: (sequence: number) => number,
    q: Heads,
    k: KeptHeads,
    v: KeptHeads,
    shape: AttentionShape,
  ): Value {
    return attendKept(q, k, v, shape, this.#segmentsOver(starts, sourceOf));
  }

  #segmentsOver(starts: Int32Array, sourceOf: (sequence: number) => number): Segments {
    const all = Array.from({ length: this.starts.length - 1 }, (_, s) => {
      const source = sourceOf(s);
      return [this.starts[s]!, this.starts[s + 1]!, starts[source]!, starts[source + 1]!] as const;
    });
    return Object.assign(this.tape.ids(Int32Array.from(all.flat())), {
      count: all.length,
      lengths: all.map(([qStart, qEnd, kStart, kEnd]) => [qEnd - qStart, kEnd - kStart] as const),
    });
  }

  /** Counts the tokens added to the cache in this pass. Called after all layers have run. */
  finish(): void {
    if (!this.tape.planning) this.#cache?.advance(shifted(this.starts, this.#prefixes));
  }

  /** Dropout with the config's probability, or the one that replaces it. */
  dropout(x: Value, p: number): Value {
    return dropout(x, this.#dropout ?? p);
  }
}

function virtualOf({ virtual = [] }: PassOptions, s: number): VirtualTokens | null {
  return virtual[virtual.length === 1 ? 0 : s] ?? null;
}

/** Begins each set of virtual tokens once, even if several sequences share it. */
function begun(tape: Tape, given: readonly (VirtualTokens | null)[], stack: Stack): (VirtualRows | null)[] {
  const rows = new Map<VirtualTokens, VirtualRows>();
  return given.map((virtual) => {
    if (virtual === null || virtual.promptLength(stack) + virtual.prefixLength(stack) === 0) return null;
    if (!rows.has(virtual)) rows.set(virtual, virtual.begin(tape, stack));
    return rows.get(virtual)!;
  });
}

/** The starts of sequences that are each longer by this many rows. */
function shifted(starts: Int32Array, longer: Int32Array): Int32Array {
  const moved = Int32Array.from(starts);
  let sum = 0;
  longer.forEach((count, s) => {
    sum += count;
    moved[s + 1]! += sum;
  });
  return moved;
}

/** The heads as a separate Value. */
function columnsOf({ value, column }: Heads, width: number): Value {
  return column === 0 && value.shape[1] === width ? value : sliceColumns(value, column, column + width);
}
