/** Kernels whose calls are reported to an observer, for profiling. */
import type { Kernels } from "./generated/kernels.ts";

/** Receives every kernel that has run. Times are those of `performance.now()`, in milliseconds. */
export interface KernelObserver {
  ran(kernel: string, began: number, ended: number): void;
}

/** The state of a step that can be queried while its kernels run. */
export interface StepUnderWay {
  /** The block of the model, "" outside all blocks. */
  readonly place: string;
  /** Whether the backward pass is running. */
  readonly unwinding: boolean;
  /** Floating-point operations of the products so far. */
  readonly flops: number;
  /** Bytes of working memory allocated so far, and those in use now. */
  readonly takenBytes: number;
  readonly usedBytes: number;
}

type Kernel = (...args: number[]) => number | undefined;

/** The same kernels, timed. Kernels that only count bytes or parts are left unchanged. */
export function observedKernels(kernels: Kernels, observer: KernelObserver): Kernels {
  const all = Object.entries(kernels) as [string, Kernel][];
  const timed = ([name, kernel]: [string, Kernel]): [string, Kernel] => {
    if (/_(workspace|parts)$/.test(name) || typeof kernel !== "function") return [name, kernel];
    return [
      name,
      (...args) => {
        const began = performance.now();
        const result = kernel(...args);
        observer.ran(name, began, performance.now());
        return result;
      },
    ];
  };
  return Object.fromEntries(all.map(timed)) as unknown as Kernels;
}
