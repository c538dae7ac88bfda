/** Rotary position tables: the angles of Su et al. 2021, with the published scaling methods. */
import { UnsupportedError } from "../../core/errors.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { ConfigReader } from "../config.ts";

/** Tables of short contexts are computed completely; longer ones grow by doubling, up to the positions in use. */
const WHOLE = 4096;

/**
 * Inverse frequency of each pair of a rotary head, in float32 like the reference: base^(−2i/dim), scaled according to
 * `rope_scaling` ("default", "linear", "llama3").
 */
export function rotaryFrequencies(config: ConfigReader, dim: number): Float32Array {
  const scaling = config.object("rope_scaling") ?? config.object("rope_parameters");
  const base = scaling?.raw.rope_theta === undefined ? config.float("rope_theta", 10000) : scaling.float("rope_theta");
  const plain = Float32Array.from({ length: dim / 2 }, (_, i) => 1 / Math.fround(base ** Math.fround((2 * i) / dim)));
  const type = scaling === null ? "default" : scaling.string("rope_type", scaling.string("type", "default"));
  if (scaling === null || type === "default") return plain;
  if (type === "linear") return plain.map((f) => f / scaling.float("factor"));
  if (type === "llama3") return llama3Frequencies(plain, scaling);
  throw new UnsupportedError(
    `${config.name}: "rope_scaling" has type "${type}", this version knows "default", "linear" and "llama3"`,
  );
}

/** Llama 3.1: long wavelengths are scaled by `factor`, short ones are unchanged, and those between are blended. */
function llama3Frequencies(plain: Float32Array, scaling: ConfigReader): Float32Array {
  const factor = scaling.float("factor");
  const low = scaling.float("low_freq_factor");
  const high = scaling.float("high_freq_factor");
  const original = scaling.float("original_max_position_embeddings");
  return plain.map((f) => {
    const wavelength = (2 * Math.PI) / f;
    if (wavelength < original / high) return f;
    if (wavelength > original / low) return f / factor;
    const smooth = (original / wavelength - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}

/** cos and sin of position × frequency, [positions, dim / 2] each, in the engine's memory. */
export class RotaryTable {
  readonly #engine: Engine;
  readonly #frequencies: Float32Array;
  readonly #limit: number;
  #positions = 0;
  #cos: Ptr | null = null;
  #sin: Ptr | null = null;

  /** `limit` is the model's context length. */
  constructor(engine: Engine, frequencies: Float32Array, limit: number) {
    this.#engine = engine;
    this.#frequencies = frequencies;
    this.#limit = limit;
  }

  /** Tables that cover positions 0 to `positions` − 1. */
  upTo(positions: number): { cos: Ptr; sin: Ptr; rotaryDim: number } {
    if (this.#cos === null || positions > this.#positions) this.#make(positions);
    return { cos: this.#cos!, sin: this.#sin!, rotaryDim: 2 * this.#frequencies.length };
  }

  #make(positions: number): void {
    this.dispose();
    const doubled = Math.max(WHOLE, 2 * positions);
    this.#positions = Math.max(positions, Math.min(this.#limit, doubled));
    this.#cos = this.#fill(Math.cos);
    this.#sin = this.#fill(Math.sin);
  }

  #fill(of: (angle: number) => number): Ptr {
    const { memory } = this.#engine;
    const half = this.#frequencies.length;
    const ptr = memory.alloc(this.#positions * half * 4, "the rotary position table");
    const table = memory.f32(ptr, this.#positions * half);
    for (let p = 0; p < this.#positions; p++) {
      for (let i = 0; i < half; i++) table[p * half + i] = of(Math.fround(p * this.#frequencies[i]!));
    }
    return ptr;
  }

  dispose(): void {
    for (const ptr of [this.#cos, this.#sin]) if (ptr !== null) this.#engine.memory.free(ptr);
    this.#cos = this.#sin = null;
    this.#positions = 0;
  }
}
