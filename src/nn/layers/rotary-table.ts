/** Rotary position tables in the engine's memory: cos and sin of every angle that a pass needs (Su et al. 2021). */

import { MemoryBlock } from "../../wasm/block.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { RotaryFrequencies } from "./rotary-frequencies.ts";

/** Tables of short contexts are computed completely; longer ones grow by doubling, up to the positions in use. */
const WHOLE = 4096;

/** cos and sin of position × frequency, times the scale, [positions, dim / 2] each. */
export class RotaryTable {
  readonly #engine: Engine;
  readonly #rotary: RotaryFrequencies;
  /** Those that the table is made of. */
  #frequencies: Float32Array;
  #positions = 0;
  #cos: MemoryBlock | null = null;
  #sin: MemoryBlock | null = null;

  constructor(engine: Engine, rotary: RotaryFrequencies) {
    this.#engine = engine;
    this.#rotary = rotary;
    this.#frequencies = rotary.at(0);
  }

  /** Tables that cover positions 0 to `positions` − 1, for a batch whose longest sequence has so many; for `near` see `Memory.alloc`. */
  upTo(positions: number, near?: Ptr): { cos: Ptr; sin: Ptr; rotaryDim: number } {
    const frequencies = this.#rotary.at(positions);
    if (this.#sin === null || positions > this.#positions || frequencies !== this.#frequencies) {
      this.#frequencies = frequencies;
      this.#make(positions, near);
    }
    return { cos: this.#cos!.ptr, sin: this.#sin!.ptr, rotaryDim: 2 * frequencies.length };
  }

  #make(positions: number, near?: Ptr): void {
    this.dispose();
    const doubled = Math.max(WHOLE, 2 * positions);
    this.#positions = Math.max(positions, Math.min(this.#rotary.contextLength, doubled));
    this.#cos = this.#fill(Math.cos, near);
    this.#sin = this.#fill(Math.sin, near);
  }

  #fill(of: (angle: number) => number, near?: Ptr): MemoryBlock {
    const { memory } = this.#engine;
    const { scale } = this.#rotary;
    const half = this.#frequencies.length;
    const block = new MemoryBlock(memory, this.#positions * half * 4, "the rotary position table", near);
    const table = memory.f32(block.ptr, this.#positions * half);
    for (let p = 0; p < this.#positions; p++) {
      for (let i = 0; i < half; i++) table[p * half + i] = scale * of(Math.fround(p * this.#frequencies[i]!));
    }
    return block;
  }

  dispose(): void {
    this.#cos?.free();
    this.#sin?.free();
    this.#cos = this.#sin = null;
    this.#positions = 0;
  }
}
