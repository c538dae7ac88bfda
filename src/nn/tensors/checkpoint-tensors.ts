/**
 * Tensors of a published checkpoint: placed in the engine's memory in their stored form, streamed in piece by piece.
 */
import type { Checkpoint, CheckpointTensor } from "../../checkpoint/checkpoint.ts";
import { FLOATS, toFloats } from "../../checkpoint/floats.ts";
import { dtypeBytes } from "../../core/dtype.ts";
import { FormatError } from "../../core/errors.ts";
import { expectFinite, firstNonFinite, isChecked, nonFinite } from "../../core/non-finite.ts";
import { listProblems } from "../../core/problems.ts";
import { Philox } from "../../core/random/philox.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../../core/shape.ts";
import { allocateFrozen, type FrozenWriter, frozenWriter, withoutMemory } from "../../tensor/frozen.ts";
import { type DenseDtype, type FrozenDtype, Param, type Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { Init, Near, Role, Tensors } from "../layers/weights.ts";
import { beginTensor } from "./fresh-tensors.ts";
import { type KeptWeights, keptDtype } from "./kept-dtype.ts";

/** Bytes read at a time: small against any model, large against a request. */
const PIECE = 8 << 20;

const dtypes: ReadonlyMap<string, DenseDtype> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
  ["F64", "f32"],
]);

/** How tensors are read. */
export interface LoadOptions {
  /**
   * Called after each piece with the bytes loaded so far and the total. Loading waits for a promise that it returns, and
   * ends with the callback's error.
   */
  onProgress?: (loaded: number, total: number) => unknown;
  signal?: AbortSignal;
  /**
   * How the matrices of the base are kept in memory: as stored by default, or converted tensor by tensor while loading.
   */
  weights?: KeptWeights;
  /** Widen every weight to f32 and let it be trained (`trainAll`): for training without an adapter. */
  trainable?: boolean;
  /** The seed of a head that the checkpoint does not have. */
  seed?: number;
  /** Whether a head for different labels than the config's is replaced by a random one; otherwise it is an error. */
  ignoreMismatchedSizes?: boolean;
  /** Load weights that are NaN or infinite, too; otherwise they are an error. */
  allowNonFinite?: boolean;
}

export interface CheckpointTensorsOptions
  extends Pick<LoadOptions, "weights" | "trainable" | "seed" | "ignoreMismatchedSizes"> {
  /** The prefix of names that some checkpoints omit, and others have although the model does not. */
  readonly prefix: string;
  /** Standard deviation of a head that starts at random. */
  readonly std: number;
  readonly near?: Near | undefined;
}

interface Placement {
  readonly tensor: Weight;
  readonly stored: CheckpointTensor;
}

/** Bytes [start, end) of a tensor, for one of the passes that its writer takes. */
interface Piece {
  readonly stored: CheckpointTensor;
  readonly placed: Pick<FrozenWriter, "passes" | "finish"> & {
    write(bytes: Uint8Array, start: number, pass: number): void;
  };
  readonly start: number;
  readonly end: number;
  readonly pass: number;
  readonly isLast: boolean;
}

/** Begins to read the next piece, while the one before is checked and placed: hosts read in other threads. */
function readNext(pieces: Iterator<Piece, undefined>): { piece: Piece; bytes: Promise<Uint8Array> } | null {
  const piece = pieces.next().value;
  if (piece === undefined) return null;
  const bytes = piece.stored.read(piece.start, piece.end);
  bytes.catch(() => {}); // loading may end before it is awaited
  return { piece, bytes };
}

export class CheckpointTensors implements Tensors {
  /** Tensors that the checkpoint does not have and that start at random. */
  readonly fresh: string[] = [];
  readonly #engine: Engine;
  readonly #checkpoint: Checkpoint;
  readonly #options: CheckpointTensorsOptions;
  readonly #placements: Placement[] = [];
  readonly #starts: Weight[] = [];
  readonly #problems: string[] = [];

  constructor(engine: Engine, checkpoint: Checkpoint, options: CheckpointTensorsOptions) {
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#options = options;
  }

  get(name: string, shape: Shape, _init: Init, role: Role): Weight {
    const stored = this.#find(name);
    const dtype = stored && dtypes.get(stored.dtype);
    if (!stored) this.#problems.push(`${name}: missing, the config needs ${formatShape(shape)}`);
    else if (!dtype) this.#problems.push(`${name}: dtype ${stored.dtype}, this version reads ${FLOATS}`);
    else if (!sameShape(stored.shape, shape)) {
      this.#problems.push(`${name}: file has ${formatShape(stored.shape)}, the config needs ${formatShape(shape)}`);
    }
    if (this.#problems.length > 0) return withoutMemory(name, shape);
    const kept = keptDtype(this.#options.weights ?? "stored", role, shape, dtype!);
    const tensor = this.#allocate(name, shape, kept, role === "in-out", this.#savedAs(shape, dtype!));
    this.#placements.push({ tensor, stored: stored! });
    return tensor;
  }

  /** Vectors are f32 in memory; a file that is written from them has the dtype that was requested, or their own. */
  #savedAs({ length }: Shape, stored: DenseDtype): DenseDtype | undefined {
    if (length > 1) return undefined;
    const { weights = "stored" } = this.#options;
    const dtype = weights === "stored" || weights === "int8" || weights === "nf4" ? stored : weights;
    return dtype === "f32" ? undefined : dtype;
  }

  head(name: string, shape: Shape, init: Init): Weight {
    const stored = this.#find(name);
    if (stored && (sameShape(stored.shape, shape) || stored.shape.length !== shape.length))
      return this.get(name, shape, init, "other");
    if (stored && !this.#options.ignoreMismatchedSizes) {
      this.#problems.push(
        `${name}: file has ${formatShape(stored.shape)}, the config needs ${formatShape(shape)}: the checkpoint's head was trained for a different label set`,
      );
    }
    this.fresh.push(name);
    const tensor = this.#allocate(name, shape, "f32", false);
    this.#starts.push(tensor);
    const random = new Philox(this.#options.seed ?? 0, this.fresh.length);
    beginTensor(this.#engine.memory.f32(tensor.ptr, sizeOf(shape)), init, this.#options.std, random);
    return tensor;
  }

  #allocate(name: string, shape: Shape, dtype: FrozenDtype, perColumn: boolean, storedAs?: DenseDtype): Weight {
    const { memory } = this.#engine;
    const near = this.#options.near?.(name);
    if (this.#options.trainable) return new Param(memory, name, shape, near);
    return allocateFrozen(memory, name, shape, dtype, perColumn, storedAs, near);
  }

  /**
   * Reads all requested tensors; nothing if the engine only measures. Throws one FormatError with every mismatch before
   * reading any weights.
   */
  async load({ onProgress, signal, allowNonFinite = false }: LoadOptions = {}): Promise<void> {
    if (this.#problems.length > 0) {
      this.dispose();
      throw new FormatError(listProblems(`weights in ${this.#checkpoint.name} do not fit config.json`, this.#problems));
    }
    if (this.#engine.memory.measuring) return;
    const total = this.#placements.reduce((sum, { stored }) => sum + stored.byteLength, 0);
    let loaded = 0;
    const pieces = this.#pieces();
    for (let ahead = readNext(pieces); ahead !== null; ) {
      signal?.throwIfAborted();
      const { stored, placed, start, end, pass, isLast } = ahead.piece;
      const bytes = await ahead.bytes;
      ahead = readNext(pieces);
      if (pass === 0 && !allowNonFinite) this.#expectFinite(stored, bytes, start);
      placed.write(bytes, start, pass);
      if (isLast) placed.finish();
      if (pass > 0) continue;
      loaded += end - start;
      await onProgress?.(loaded, total);
    }
  }

  /** All tensors piece by piece, each as often as it is to be passed. */
  *#pieces(): Generator<Piece, undefined> {
    for (const { tensor, stored } of this.#placements) {
      const placed = this.#writer(tensor, stored);
      const row = stored.byteLength / (sizeOf(stored.shape) / (stored.shape.at(-1) ?? 1));
      const size = Math.max(row, PIECE - (PIECE % row)); // whole rows
      for (let pass = 0; pass < placed.passes; pass++) {
        for (let start = 0; start < stored.byteLength; start += size) {
          const end = Math.min(start + size, stored.byteLength);
          yield { stored, placed, start, end, pass, isLast: end === stored.byteLength && pass === placed.passes - 1 };
        }
      }
      if (stored.byteLength === 0) placed.finish();
    }
  }

  #expectFinite({ name, dtype }: CheckpointTensor, bytes: Uint8Array, start: number): void {
    const what = `"${name}" in ${this.#checkpoint.name}`;
    const first = start / dtypeBytes[dtype];
    if (!isChecked(dtype)) {
      expectFinite(what, toFloats(dtype, bytes), first);
      return;
    }
    const at = firstNonFinite(dtype, bytes);
    if (at >= 0) throw nonFinite(what, first + at, toFloats(dtype, bytes)[at]!);
  }

  /** By its own name, with or without the prefix, or by the names of norms in old checkpoints. */
  #find(name: string): CheckpointTensor | undefined {
    const { prefix } = this.#options;
    const bare = name.replace(new RegExp(`^(${prefix}|transformer|model)\\.`), "");
    const names = [name, bare, `${prefix}.${bare}`, `${prefix}.${name}`];
    const old = names.map((each) => each.replace(/Norm\.weight$/, "Norm.gamma").replace(/Norm\.bias$/, "Norm.beta"));
    for (const each of [...names, ...old]) {
      const stored = this.#checkpoint.tensors.get(each);
      if (stored) return stored;
    }
    return undefined;
  }

  /** Receives a tensor's bytes as stored in the file, `passes` times. */
  #writer(tensor: Weight, { dtype }: CheckpointTensor) {
    const { memory } = this.#engine;
    if (dtype !== "F64" && dtypes.get(dtype) === tensor.dtype) {
      const write = (bytes: Uint8Array, start: number) =>
        memory.u8((tensor.ptr + start) as Ptr, bytes.length).set(bytes);
      return { passes: 1, write, finish: () => {} };
    }
    const floats = floatWriter(this.#engine, tensor);
    return {
      ...floats,
      write: (bytes: Uint8Array, start: number, pass: number) =>
        floats.write(toFloats(dtype, bytes), start / dtypeBytes[dtype], pass),
    };
  }

  /** Frees the allocated tensors. */
  dispose(): void {
    for (const { tensor } of this.#placements.splice(0)) tensor.dispose();
    for (const tensor of this.#starts.splice(0)) tensor.dispose();
  }
}

/** A trained weight is written like a frozen f32 weight. */
function floatWriter(engine: Engine, tensor: Weight): FrozenWriter {
  const { name, shape, ptr } = tensor;
  return frozenWriter(engine, tensor.kind === "frozen" ? tensor : withoutMemory(name, shape, ptr));
}
