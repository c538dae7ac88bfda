/**
 * A memory that only counts: blocks have addresses and sizes but no contents. Allocations count as in a real memory,
 * without a limit. Views are empty, so filling them writes nothing.
 */
import { Memory } from "./memory.ts";

export class MeasuredMemory extends Memory {
  override readonly measuring = true;
  #reached = 0;

  override get byteLength(): number {
    return Math.max(this.#reached, super.byteLength);
  }
  protected override reach(end: number): boolean {
    this.#reached = Math.max(this.#reached, end);
    return true;
  }
  /** Unlimited: nothing is allocated. */
  override offer(bytes: number): number {
    return bytes;
  }

  override u8(): Uint8Array {
    return new Uint8Array();
  }
  override i8(): Int8Array {
    return new Int8Array();
  }
  override u16(): Uint16Array {
    return new Uint16Array();
  }
  override i32(): Int32Array {
    return new Int32Array();
  }
  override f64(): Float64Array {
    return new Float64Array();
  }
  override f32(): Float32Array {
    return new Float32Array();
  }
}
