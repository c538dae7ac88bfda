/**
 * Multitask prompt tuning (Wang et al. 2023, eq. 2): rows before the embedded tokens that all tasks share, scaled for
 * task t by a task-specific low-rank product.
 *
 *   prompt_embeddings [n · stacks, D]   prefix_task_cols [tasks, n · stacks, r]   prefix_task_rows [tasks, r, D]
 *
 *   x = [prompt ∘ (colsₜ · rowsₜ); E[ids]]
 *
 * The task of each sequence is its `taskId`, 0 by default. Each stack of an encoder-decoder has separate rows.
 */
import {
  defineMethod,
  type MethodValues,
  type ModelShape,
  promptCommon,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import {
  checkPrompt,
  PROMPT_PREFIX,
  promptSizes,
  promptTokens,
  tableShape,
  tableStart,
} from "../adapt/method/prompt.ts";
import type { Make, MakeAt, Start } from "../adapt/method/tensor-maker.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { oneOf, text, whole } from "../core/options.ts";
import { lift, product } from "../ops/linear/product.ts";
import { multiplyElements } from "../ops/pointwise/elementwise.ts";
import { checkText, textStart, tokenizerOf } from "./prompt_tuning.ts";

const options = {
  ...promptCommon,
  promptTuningInit: oneOf(
    ["TEXT", "RANDOM", "AVERAGE_SOURCE_TASKS", "EXACT_SOURCE_TASK", "ONLY_SOURCE_SHARED"],
    "RANDOM",
    "how the rows are initialized",
  ),
  ...textStart,
  promptTuningInitStateDictPath: text(),
  promptTuningInitTask: whole(0, 0),
  numRanks: whole(1, 1, "rank of each task's factors"),
  numTasks: whole(1, 1, "number of tasks"),
};

type Values = MethodValues<typeof options>;

/**
 * Rows before the embedded tokens, shared by several tasks and scaled for each.
 *
 * @example
 * const model = getPeftModel(base, multitaskPromptTuning({ numVirtualTokens: 20, numTasks: 3 }));
 */
export const multitaskPromptTuning = defineMethod({
  peftType: "MULTITASK_PROMPT_TUNING",
  about: {
    title: "Multitask prompt tuning",
    paper: "Wang et al. 2023, arXiv:2303.02861",
    equation: "x = [P ∘ (C[task] · R[task]); E[ids]]",
    when: "For several related tasks with little data each; a task id in each row of data distinguishes them.",
    learningRate: 3e-2,
    example: { numVirtualTokens: 20, numTasks: 4 },
  },
  common: {},
  keyPrefix: PROMPT_PREFIX,
  targets: null,
  options,
  check: (values, spell) => checkPrompt(values, spell) ?? checkText(values, spell),
  settle: (values, _layers, warn, model) => ({ ...promptSizes(values, model), ...tokenizerOf(values, warn) }),
  sites,
});

function sites(model: ModelShape, values: Values, make: MakeAt): SiteParts {
  const own = make(null);
  const { numTasks, numRanks } = values;
  const [rows, width] = tableShape(values);
  const table = own.param("prompt_embeddings", [rows, width], sharedStart(values, model, own));
  const taskCols = own.param("prefix_task_cols", [numTasks, rows, numRanks], { normal: 0.02 });
  const taskRows = own.param("prefix_task_rows", [numTasks, numRanks, width], { normal: 0.02 });
  const virtual = promptTokens(
    model,
    values,
    (tape) => (task) => {
      if (task < 0 || task >= numTasks)
        throw new FormatError(`task id ${task} must be from 0 to ${numTasks - 1}, the tasks of the prompt`);
      const cols = lift(tape, taskCols, [rows, numRanks], task * rows * numRanks);
      const scales = product(cols, lift(tape, taskRows, [numRanks, width], task * numRanks * width));
      return multiplyElements(lift(tape, table), scales);
    },
    { inDecoder: true },
  );
  return { virtual };
}

/** Starting from a trained prompt needs its path, which methods do not read. */
function sharedStart(values: Values, model: ModelShape, make: Make): Start {
  const { promptTuningInit: start } = values;
  if (start === "TEXT" || start === "RANDOM") return tableStart(values, model, make);
  return () => {
    throw new UnsupportedError(
      `"promptTuningInit" is "${start}", but this version supports "TEXT" and "RANDOM"; alternatively, load the trained prompt and continue training it`,
    );
  };
}
