import type { Task } from "../../core/task.ts";

/** The modules that PEFT trains in full beside an adapter because of the task: heads, by the names they may have. */
export function headsOf(task: Task): readonly string[] {
  if (task === "SEQ_CLS" || task === "TOKEN_CLS") return ["classifier", "score"];
  return task === "QUESTION_ANS" ? ["qa_outputs"] : [];
}
