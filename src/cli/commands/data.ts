/** lorikeet data: looks at data files. `preview` shows rows as they will be trained. */
import { Command } from "commander";
import { openTarget } from "../../checkpoint/open.ts";
import { type Options, text, type ValuesOf, whole } from "../../core/options.ts";
import { splitOptions } from "../../data/data-options.ts";
import { lengthOptions } from "../../data/length-options.ts";
import { settings } from "../../train/arguments.ts";
import { commandOf } from "../command.ts";
import { dataFlags, validFiles } from "../data.ts";
import { dataTable } from "../data-table.ts";
import { alternatives } from "../flags/options.ts";
import { modelOptions } from "../model-options.ts";
import { splitPath } from "../paths/paths.ts";
import { previewText } from "../preview.ts";
import { previewPage } from "../preview-page.ts";
import { counted, notice, print } from "../terminal.ts";
import { previewsOf, trainingData } from "../training-data.ts";

const { model, task, weights } = modelOptions;
const options = {
  model,
  ...dataFlags,
  valid: validFiles("data files to evaluate on, for the counts"),
  ...splitOptions,
  task,
  rows: whole(5, 1, "number of examples to show"),
  html: text({ help: "write a page with them instead", placeholder: "file" }),
  ...lengthOptions,
  seed: { ...settings.seed, help: "seed that decides what --valid-split holds out" },
} satisfies Options;

const preview = commandOf("preview", {
  description:
    "Show rows as they will be trained: their tokens, which of them are learned, and their labels. No weights are loaded.",
  options,
  examples: `
    $ lorikeet data preview --model base --data chat.jsonl
    $ lorikeet data preview --model base --data reviews.csv --columns text=body,label=stars --html preview.html`,
  run,
});

alternatives(preview, ["valid"], ["validSplit"]);

export const command: Command = new Command("data")
  .description("Look at data files before training.")
  .addCommand(preview.showHelpAfterError("(--help shows the options, with examples)"));

async function run(flags: ValuesOf<typeof options>): Promise<void> {
  const context = { engine: { threads: 1 }, seed: flags.seed, trainable: false, told: null };
  const data = await trainingData({ ...flags, weights: weights.fallback }, context);
  const previews = await previewsOf(data, flags.model, flags.rows);
  const table = dataTable({ train: data.train, valid: data.valid }, data.shapes.task, data.shapes.labelNames);
  if (flags.html === null) {
    print(previewText(previews, process.stdout.isTTY === true && !process.env.NO_COLOR));
    print(`\n${table}`);
    return;
  }
  const [folder, file] = splitPath(flags.html);
  const page = previewPage(`${flags.data.join(", ")} for ${flags.model}`, previews);
  await openTarget(folder).write(file, [new TextEncoder().encode(page)]);
  notice(table);
  print(`wrote ${counted(previews.length, "example")} to ${flags.html}`);
}
