/**
 * A memory that only counts: blocks have addresses and sizes but no contents. Allocations count as in a real memory,
 * without a limit. Views are empty, so filling them writes nothing.
 */
import { Memory, type ViewClass } from "./memory.ts";

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

  protected override view<A>(Kind: ViewClass<A>): A {
    return new Kind(new ArrayBuffer(0), 0, 0);
  }
}
