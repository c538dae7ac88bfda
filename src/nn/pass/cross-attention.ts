/** The encoder's side of cross-attention: computed in the same pass, or kept from an earlier one for decoding. */
import { type AttentionShape, allHeads, type Heads, type KeptHeads } from "../../ops/attention/attention.ts";
import type { Value } from "../../tape/tape.ts";
import { MemoryBlock } from "../../wasm/block.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { Pass } from "./pass.ts";
import type { SequenceRows } from "./sequences.ts";

/** The encoder's side of cross-attention: its rows, or the keys and values kept of them. */
export interface CrossAttention {
  /**
   * softmax(scale·q·kᵀ)·v over the source of each sequence, for the rows of the decoder's pass. `project` computes keys and
   * values of a layer from the encoder's hidden rows; it is not called if they are cached.
   */
  attend(
    layer: number,
    pass: Pass,
    q: Heads,
    shape: AttentionShape,
    project: (rows: Value, encoder: SequenceRows) => { k: Value; v: Value },
  ): Value;
}

/** The hidden rows of an encoder in the current step. */
export function memoryOf(encoder: Pass, rows: Value): CrossAttention {
  return {
    attend(_layer, pass, q, shape, project) {
      const { k, v } = project(rows, encoder);
      return pass.attendOver(encoder, q, allHeads(k), allHeads(v), shape);
    },
  };
}

/** Keys and values of the encoder's rows for every layer of the decoder, kept while an output is generated. */
export class CrossCache implements CrossAttention {
  /** Rows of each source. */
  readonly starts: Int32Array;
  /** The source that a sequence of the decoder reads: several beams share one. */
  sourceOf: (sequence: number) => number = (s) => s;
  readonly #width: number;
  readonly #block: MemoryBlock;

  constructor(engine: Engine, shape: { layers: number; width: number }, starts: Int32Array) {
    this.#width = shape.width;
    this.starts = starts;
    const bytes = 2 * shape.layers * starts.at(-1)! * shape.width * 4;
    this.#block = new MemoryBlock(engine.memory, bytes, `keys and values of ${starts.at(-1)} encoder rows`);
  }

  keep(layer: number, k: Value, v: Value): void {
    const { tape } = k;
    const bytes = this.starts.at(-1)! * this.#width * 4;
    tape.copy(this.#at(layer, 0).ptr, k.ptr, bytes);
    tape.copy(this.#at(layer, 1).ptr, v.ptr, bytes);
  }

  attend(layer: number, pass: Pass, q: Heads, shape: AttentionShape): Value {
    return pass.attendOverKept(this.starts, this.sourceOf, q, this.#at(layer, 0), this.#at(layer, 1), shape);
  }

  #at(layer: number, part: 0 | 1): KeptHeads {
    const rows = this.starts.at(-1)!;
    return { ptr: (this.#block.ptr + (2 * layer + part) * rows * this.#width * 4) as Ptr, width: this.#width };
  }

  dispose(): void {
    this.#block.free();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
