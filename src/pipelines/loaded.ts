/** What every pipeline works with, and how it runs the model. */
import type { PeftModel } from "../adapt/peft-model.ts";
import type { SourceLike } from "../checkpoint/open.ts";
import type { Input } from "../nn/pass/inputs.ts";
import { concatenateLabelled } from "../nn/pass/sequences.ts";
import type { Model } from "../nn/tasks/model.ts";
import { Tape } from "../tape/tape.ts";
import type { PretrainedTokenizer } from "../text/auto-tokenizer.ts";

export interface PipelineModel {
  readonly model: Model | PeftModel;
  readonly base: Model;
  readonly tokenizer: PretrainedTokenizer;
  /** Where the model is from: other files of it are there. */
  readonly place: SourceLike;
}

/** One input of a model. */
export interface ModelInput {
  readonly ids?: readonly number[];
  readonly typeIds?: readonly number[];
  readonly inputs?: readonly Input[];
}

/** The outputs of a model for one input, row by row; of a text read with virtual tokens only the rows of its tokens. */
export function outputsOf({ model }: PipelineModel, { ids = [], typeIds = [], inputs }: ModelInput): Float32Array[] {
  const example = {
    inputIds: Int32Array.from(ids),
    labels: new Int32Array(),
    ...(typeIds.some((type) => type !== 0) && { tokenTypes: Int32Array.from(typeIds) }),
    ...(inputs && { inputs }),
  };
  let width = 1;
  const values = Tape.once(model.engine, {}, (tape) => {
    const outputs = model.outputs(tape, concatenateLabelled([example]));
    width = outputs.shape.at(-1)!;
    return tape.download(outputs);
  });
  const rows = Array.from({ length: values.length / width }, (_, r) => values.subarray(r * width, (r + 1) * width));
  return rows.length > ids.length && ids.length > 0 ? rows.slice(-ids.length) : rows;
}

/** Runs a call for each input of a list, or for one alone. Others may act in between. */
export async function forEach<I, O>(inputs: unknown, isOne: boolean, run: (input: I) => O | Promise<O>): Promise<O[]> {
  const results: O[] = [];
  for (const input of isOne ? [inputs as I] : (inputs as readonly I[])) {
    results.push(await run(input));
    await null;
  }
  return results;
}
