import type { Task } from "../../core/task.ts";
import type { Stack } from "../pass/virtual-tokens.ts";

/** What a model and its adapters must know about the task. A file in src/tasks/ declares it. */
export interface TaskTraits {
  readonly name: Task;
  /** The `task_type` in an adapter's config, null for a task that PEFT does not have. */
  readonly taskType: string | null;
  /** Modules of the head by their possible names. PEFT fully trains those of its own tasks together with an adapter. */
  readonly headModules: readonly string[];
  /** Whether "all-linear" excludes the head, as PEFT does for some tasks. */
  readonly headOutsideAllLinear: boolean;
  /** The stacks with virtual tokens, starting with the one that reads the given ids. */
  readonly stacks: readonly Stack[];
}
