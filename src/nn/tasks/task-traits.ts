import type { Task } from "../../core/task.ts";
import type { Stack } from "../pass/virtual-tokens.ts";

/** What a model, and the adapters on it, must know of the task. A file in src/tasks/ states it. */
export interface TaskTraits {
  readonly name: Task;
  /** The `task_type` in an adapter's config, null for a task that PEFT does not have. */
  readonly taskType: string | null;
  /** Modules of the head by the names they may have. PEFT trains those of its own tasks in full beside an adapter. */
  readonly headModules: readonly string[];
  /** Whether "all-linear" leaves the head out, as PEFT does for some. */
  readonly headOutsideAllLinear: boolean;
  /** The stacks that have virtual tokens, first the one that reads the given ids. */
  readonly stacks: readonly Stack[];
}
