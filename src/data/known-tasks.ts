/** The tasks of src/tasks/ and the kinds of rows that they take. */
import { type Task, tasks } from "../core/task.ts";
import { taskDefinitions } from "../tasks/index.generated.ts";
import type { RowKind, RowOf } from "../tasks/kit/define-row.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import { preferenceRow } from "../tasks/rows/preference.ts";

/** A row of any kind. */
export type Row = RowOf<(typeof taskDefinitions)[Task]["rows"][number] | typeof preferenceRow>;

export function taskDefinition(task: Task): TaskDefinition {
  return taskDefinitions[task] as TaskDefinition;
}

/** Every kind once that a task takes. */
export function takenKinds(): RowKind[] {
  return [...new Set(tasks.flatMap((task) => taskDefinition(task).rows))];
}

/** Every kind once, with those that no task takes. */
export function rowKinds(): RowKind[] {
  return [...takenKinds(), preferenceRow as RowKind];
}

/** The kind of a row. */
export function kindOfRow({ kind }: { readonly kind: string }): RowKind {
  const kinds = rowKinds();
  return kinds.find((each) => each.kind === kind) ?? kinds.find(({ alsoGives = [] }) => alsoGives.includes(kind))!;
}

/** The task that rows are for, where they say it: the first of them decides of what kind it is asked. */
export function taskOfRows(rows: readonly Row[]): Task | null {
  const alike = rows.filter(({ kind }) => kind === rows[0]!.kind);
  const suggests = (task: Task) => {
    const { rows: kinds, suggestedBy } = taskDefinition(task);
    return kinds.some(({ kind }) => kind === rows[0]!.kind) && alike.some((row) => suggestedBy?.(row) ?? false);
  };
  return tasks.find(suggests) ?? null;
}
