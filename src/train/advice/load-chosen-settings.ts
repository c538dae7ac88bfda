import type { TrainingArguments } from "../arguments.ts";
import type { TrainingExample } from "../check-examples.ts";
import type { Trainable } from "../trainable.ts";

/**
 * The given arguments, with a learning rate and a number of epochs that suit the model and the data where they are missing: the
 * defaults of the command line. A `Trainer` alone has those of transformers. Its code is loaded with the first call.
 *
 * @example
 * const args = await chooseArguments(model, trainDataset, { seed: 1 });
 * await new Trainer({ model, trainDataset, args }).train();
 */
export async function chooseArguments(
  model: Trainable,
  trainDataset: readonly TrainingExample[],
  args: TrainingArguments = {},
): Promise<TrainingArguments> {
  const chosen = await import("./chosen-settings.ts");
  return chosen.chooseArguments(model, trainDataset, args);
}
