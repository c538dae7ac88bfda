/** Kernels whose calls are told to somebody: for a profile. */
import type { Kernels } from "./generated/kernels.ts";

/** Told of every kernel that has run. Times are those of `performance.now()`, in milliseconds. */
export interface KernelObserver {
  ran(kernel: string, began: number, ended: number): void;
}

/** What can be asked of a step while its kernels run. */
export interface StepUnderWay {
  /** The block of the model, "" outside of all. */
  readonly place: string;
  /** Whether the backward pass is under way. */
  readonly unwinding: boolean;
  /** Floating-point operations of the products so far. */
  readonly flops: number;
  /** Bytes of working memory handed out so far, and those in use now. */
  readonly takenBytes: number;
  readonly usedBytes: number;
}

type Kernel = (...args: number[]) => number | undefined;

/** The same kernels, timed. Those that state the size of a workspace are left as they are. */
export function observedKernels(kernels: Kernels, observer: KernelObserver): Kernels {
  const all = Object.entries(kernels) as [string, Kernel][];
  const timed = ([name, kernel]: [string, Kernel]): [string, Kernel] => {
    if (name.endsWith("_workspace") || typeof kernel !== "function") return [name, kernel];
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
