/**
 * The names of the supported tasks: the files of src/tasks/ in capitals. Where PEFT has the task, the name is its
 * `task_type`.
 */
import { taskNames } from "./task-names.generated.ts";

/** All task names, in the order of the listing. */
export const tasks = taskNames;

/** One of `tasks`. */
export type Task = (typeof tasks)[number];
