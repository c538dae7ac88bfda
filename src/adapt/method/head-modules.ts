import type { TaskTraits } from "../../nn/tasks/task-traits.ts";

/** The modules that PEFT fully trains together with an adapter because of the task: heads, by their possible names. */
export function headsOf({ taskType, headModules }: TaskTraits): readonly string[] {
  return taskType === null ? [] : headModules;
}
