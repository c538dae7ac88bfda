/**
 * The engine's one linear memory. Long-lived data (weights, adapters, optimizer state, the step's arena) lives in
 * blocks allocated here; kernels never allocate. Freed blocks are merged and reused, first fit from the low end, and
 * the memory grows by exactly what is missing.
 */
import { StateError } from "../core/errors.ts";

declare const brand: unique symbol;
/** Byte offset into kernel memory: never a length, never an element count. */
export type Ptr = number & { readonly [brand]: "ptr" };

const PAGE = 65536;
const ALIGN = 64;
/** 4 GiB less one page: the end of the memory must itself be an address. */
export const MAX_BYTES = 65535 * PAGE;
/** The kernels' constant tables are below this address. */
export const FIRST_BLOCK = PAGE;

/** Rounds up to the alignment of every block, 64 bytes: one cache line, four vectors. */
export function aligned(byteLength: number): number {
  return Math.ceil(byteLength / ALIGN) * ALIGN;
}

/** A class of views. */
export type ViewClass<A> = new (buffer: ArrayBufferLike, at: number, length: number) => A;

interface Block {
  ptr: number;
  bytes: number;
}

/** One linear memory, and the blocks in it. */
export class Memory {
  /** Whether it only assigns addresses and holds nothing: see src/wasm/measured-memory.ts. */
  readonly measuring: boolean = false;
  readonly wasm: WebAssembly.Memory;
  /** The memories it is made of: see src/wasm/memories.ts. */
  readonly each: readonly Memory[] = [this];
  readonly maxBytes: number;
  readonly #sizes = new Map<number, number>();
  #free: Block[] = [];
  #end = FIRST_BLOCK;
  #used = 0;
  #peak = 0;
  #closed = false;

  /** `shared` for several threads. */
  constructor(maxBytes: number = MAX_BYTES, shared = false) {
    this.maxBytes = Math.min(maxBytes, MAX_BYTES);
    this.wasm = new WebAssembly.Memory({ initial: 1, maximum: Math.max(1, Math.ceil(this.maxBytes / PAGE)), shared });
  }

  /** Bytes in blocks now, and the maximum so far. */
  get usedBytes(): number {
    return this.#used;
  }
  get peakBytes(): number {
    return this.#peak;
  }
  /** Bytes that the host has allocated for this memory so far. It never shrinks. */
  get byteLength(): number {
    return this.wasm.buffer.byteLength;
  }

  /**
   * How far this memory can grow toward a total of `byteLength`: that far, or to its limit, or to about where the host
   * refuses to allocate more. Memory that the host allocated is kept. `parts` are those of each memory, where there are several.
   */
  offer(byteLength: number, _parts?: readonly number[]): number {
    if (byteLength > this.maxBytes) return this.maxBytes;
    if (this.reach(byteLength)) return byteLength;
    let [given, refused] = [this.byteLength, byteLength];
    while (refused - given > PAGE) {
      const asked = Math.floor((given + refused) / 2);
      if (this.reach(asked)) given = asked;
      else refused = asked;
    }
    return given;
  }

  /**
   * A block of at least `byteLength` bytes, 64-byte aligned, with undefined contents. `what` names it in the error if
   * memory runs out. `near` is an address in what the block is used with: where there are several memories, both are in the same.
   */
  alloc(byteLength: number, what: string, _near?: Ptr): Ptr {
    if (this.#closed) throw new StateError(`${what}: this engine was disposed of; create another`);
    const bytes = Math.max(ALIGN, aligned(byteLength));
    const ptr = this.#takeFree(bytes) ?? this.#takeEnd(bytes, what);
    this.#sizes.set(ptr, bytes);
    this.#used += bytes;
    this.#peak = Math.max(this.#peak, this.#used);
    return ptr as Ptr;
  }

  /** Ends allocation: blocks can only be freed from now on. */
  close(): void {
    this.#closed = true;
  }

  free(ptr: Ptr): void {
    const bytes = this.#sizes.get(ptr);
    if (bytes === undefined) throw new StateError(`memory block at ${ptr} is not in use: was it disposed of twice?`);
    this.#sizes.delete(ptr);
    this.#used -= bytes;
    const at = this.#free.findIndex((b) => b.ptr > ptr);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, { ptr, bytes });
    this.#join();
  }

  #takeFree(bytes: number): number | undefined {
    const block = this.#free.find((b) => b.bytes >= bytes);
    if (!block) return undefined;
    const { ptr } = block;
    block.ptr += bytes;
    block.bytes -= bytes;
    if (block.bytes === 0) this.#free = this.#free.filter((b) => b !== block);
    return ptr;
  }

  #takeEnd(bytes: number, what: string): number {
    const ptr = this.#end;
    const end = ptr + bytes;
    const message = () =>
      `memory: ${what} needs ${formatBytes(bytes)} more, but ${formatBytes(this.#used)} of at most ${formatBytes(this.maxBytes)} are in use`;
    if (end > this.maxBytes && !this.measuring) throw new StateError(message());
    if (!this.reach(end)) throw new StateError(`${message()}, and this host refuses to allocate that much`);
    this.#end = end;
    return ptr;
  }

  /** Whether there is room up to `end`: requests the missing memory from the host. */
  protected reach(end: number): boolean {
    const missing = Math.ceil((end - this.byteLength) / PAGE);
    if (missing <= 0) return true;
    try {
      this.wasm.grow(missing);
      return true;
    } catch {
      return false;
    }
  }

  #join(): void {
    const joined: Block[] = [];
    for (const block of this.#free) {
      const last = joined.at(-1);
      if (last && last.ptr + last.bytes === block.ptr) last.bytes += block.bytes;
      else joined.push(block);
    }
    const last = joined.at(-1);
    if (last && last.ptr + last.bytes === this.#end) {
      this.#end = last.ptr;
      joined.pop();
    }
    this.#free = joined;
  }

  /** The place in `each` of the memory that an address is in. */
  indexOf(_ptr: Ptr): number {
    return 0;
  }

  /** Copies `byteLength` bytes. */
  copy(to: Ptr, from: Ptr, byteLength: number): void {
    new Uint8Array(this.wasm.buffer).copyWithin(to, from, from + byteLength);
  }

  protected view<A>(Kind: ViewClass<A>, ptr: Ptr, length: number): A {
    return new Kind(this.wasm.buffer, ptr, length);
  }
  /** Views are valid until the memory next grows: use them immediately and never keep them. */
  u8(ptr: Ptr, length: number): Uint8Array {
    return this.view(Uint8Array, ptr, length);
  }
  i8(ptr: Ptr, length: number): Int8Array {
    return this.view(Int8Array, ptr, length);
  }
  u16(ptr: Ptr, length: number): Uint16Array {
    return this.view(Uint16Array, ptr, length);
  }
  i32(ptr: Ptr, length: number): Int32Array {
    return this.view(Int32Array, ptr, length);
  }
  f32(ptr: Ptr, length: number): Float32Array {
    return this.view(Float32Array, ptr, length);
  }
  f64(ptr: Ptr, length: number): Float64Array {
    return this.view(Float64Array, ptr, length);
  }
}

/** The same tensors by the memory that they are in. */
export function byMemory<T extends { readonly ptr: Ptr }>(memory: Memory, tensors: Iterable<T>): T[][] {
  const groups = memory.each.map((): T[] => []);
  for (const tensor of tensors) groups[memory.indexOf(tensor.ptr)]!.push(tensor);
  return groups;
}

/** "1.5 MB": decimal units, as disks and browsers use. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
