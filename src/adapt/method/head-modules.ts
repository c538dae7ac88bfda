import type { TaskTraits } from "../../nn/tasks/task-traits.ts";

/** The modules that PEFT trains in full beside an adapter because of the task: heads, by the names they may have. */
export function headsOf({ taskType, headModules }: TaskTraits): readonly string[] {
  return taskType === null ? [] : headModules;
}
