/** Names of the tasks that a model can be for: the files of src/tasks/, in capitals, which are PEFT's `task_type`s where it has one. */
import { taskNames } from "./task-names.generated.ts";

/** All of them, in the order of the listing. */
export const tasks = taskNames;

/** One of `tasks`. */
export type Task = (typeof tasks)[number];
