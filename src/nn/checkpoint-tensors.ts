/** Tensors of a published checkpoint: placed in the engine's memory as they are stored, streamed in piece by piece. */
import type { Checkpoint, CheckpointTensor } from "../checkpoint/checkpoint.ts";
import { listProblems } from "../checkpoint/safetensors.ts";
import { FormatError } from "../core/errors.ts";
import { bf16ToF32, f16ToF32 } from "../core/half.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../core/shape.ts";
import { bytesPerElement, type Frozen, type FrozenDtype } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Ptr } from "../wasm/memory.ts";
import type { Tensors } from "./weights.ts";

/** Bytes read at a time: small against any model, large against a request. */
const PIECE = 8 << 20;

const dtypes: ReadonlyMap<string, FrozenDtype> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
]);

export interface LoadOptions {
  /** Called after each piece with bytes loaded so far and in all. */
  onProgress?: (loaded: number, total: number) => void;
  signal?: AbortSignal;
}

interface Placement {
  readonly tensor: Frozen;
  readonly stored: CheckpointTensor;
}

export class CheckpointTensors implements Tensors {
  readonly #engine: Engine;
  readonly #checkpoint: Checkpoint;
  readonly #prefix: string;
  readonly #placements: Placement[] = [];
  readonly #problems: string[] = [];

  /** `prefix` is the leading part of names that some checkpoints leave out. */
  constructor(engine: Engine, checkpoint: Checkpoint, prefix: string) {
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#prefix = prefix;
  }

  get(name: string, shape: Shape): Frozen {
    const stored = this.#find(name);
    const dtype = stored && dtypes.get(stored.dtype);
    if (!stored) this.#problems.push(`${name}: missing, the config needs ${formatShape(shape)}`);
    else if (!dtype) this.#problems.push(`${name}: dtype ${stored.dtype}, this version reads F32, F16 and BF16`);
    else if (!sameShape(stored.shape, shape)) {
      this.#problems.push(`${name}: file has ${formatShape(stored.shape)}, the config needs ${formatShape(shape)}`);
    }
    // Vectors are small and read by kernels that know f32 only.
    const kept = shape.length === 1 ? "f32" : (dtype ?? "f32");
    const sound = this.#problems.length === 0;
    const ptr = sound
      ? this.#engine.memory.alloc(sizeOf(shape) * bytesPerElement[kept], `"${name}" ${formatShape(shape)}`)
      : 0;
    const tensor: Frozen = { kind: "frozen", name, shape, dtype: kept, ptr: ptr as Ptr };
    if (sound) this.#placements.push({ tensor, stored: stored! });
    return tensor;
  }

  /** Reads everything that was asked for. Throws one FormatError with every mismatch before reading a byte of weights. */
  async load({ onProgress, signal }: LoadOptions = {}): Promise<void> {
    if (this.#problems.length > 0) {
      this.dispose();
      throw new FormatError(listProblems(`weights in ${this.#checkpoint.name} do not fit config.json`, this.#problems));
    }
    const total = this.#placements.reduce((sum, { stored }) => sum + stored.byteLength, 0);
    let loaded = 0;
    for (const placement of this.#placements) {
      for (let start = 0; start < placement.stored.byteLength; start += PIECE) {
        signal?.throwIfAborted();
        const end = Math.min(start + PIECE, placement.stored.byteLength);
        this.#place(placement, await placement.stored.read(start, end), start);
        loaded += end - start;
        onProgress?.(loaded, total);
      }
    }
  }

  #find(name: string): CheckpointTensor | undefined {
    const bare = name.startsWith(`${this.#prefix}.`) ? name.slice(this.#prefix.length + 1) : name;
    return this.#checkpoint.tensors.get(name) ?? this.#checkpoint.tensors.get(bare);
  }

  #place({ tensor, stored }: Placement, bytes: Uint8Array, start: number): void {
    const { memory } = this.#engine;
    const kept = bytesPerElement[tensor.dtype];
    if (dtypes.get(stored.dtype) === tensor.dtype) {
      memory.u8((tensor.ptr + start) as Ptr, bytes.length).set(bytes);
      return;
    }
    const halves = new Uint16Array(bytes.slice().buffer);
    const floats = memory.f32((tensor.ptr + (start / 2) * kept) as Ptr, halves.length);
    if (stored.dtype === "F16") f16ToF32(halves, floats);
    else bf16ToF32(halves, floats);
  }

  /** Frees what was placed. */
  dispose(): void {
    for (const { tensor } of this.#placements.splice(0)) this.#engine.memory.free(tensor.ptr);
  }
}
