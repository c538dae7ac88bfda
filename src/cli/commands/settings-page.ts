/**
 * docs/training-settings.md, generated from the declarations of options: the output of `lorikeet settings --markdown`.
 */
import { expectedOf, type Option, type Options } from "../../core/options.ts";
import { dataOptions, splitOptions } from "../../data/data-options.ts";
import { lengthOptions } from "../../data/length-options.ts";
import { generationOptions } from "../../generate/generation-options.ts";
import { weightsOption } from "../../nn/tensors/kept-dtype.ts";
import { optimizers } from "../../optim/optimizers.ts";
import { settings } from "../../train/arguments.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { DeclaredFlag, hasFlag } from "../flags/options.ts";

const INTRODUCTION = `# Settings

Every setting of training, data loading, the engine and generation, with its flag and its default. The library, the command
line and this page read the same declaration of each setting; \`lorikeet settings --markdown\` prints this page. A --config
file uses the flags' names without the leading dashes: \`learning-rate: 2e-4\`. Where the command line's default differs
from the library's, the table gives it and the reason. Options of PEFT methods are in [methods.md](methods.md).
`;

/** Options by the heading that describes them. */
export function sections(): [title: string, text: string, options: Options][] {
  const training =
    "The `args` of `Trainer`: names and defaults of transformers' `TrainingArguments`, in camelCase. A resumed run must use\n" +
    "the same values for settings marked *fixed*.";
  return [
    ["Training", training, settings],
    ["Data", "Options of `readRows`, `loadDataset` and `encodeRows`.", { ...dataOptions, ...lengthOptions }],
    ["Data of a run", "Flags of `train`; in the library `splitRows` and `labelNames` do the same.", splitOptions],
    ["Engine and model", "Options of `createEngine`; `weights` belongs to `fromPretrained`.", ENGINE],
    ["Generation", "Options of `generate`.", generationOptions],
    ...Object.entries(optimizers).map(([name, { options }]): [string, string, Options] => [
      `Optimizer ${name}`,
      "Options of its constructor, also for `optimArgs` and `--optim-args`.",
      options,
    ]),
  ];
}

const ENGINE = { ...engineOptions, weights: weightsOption };

/** The page. */
export function settingsPage(): string {
  const parts = sections().map(([title, text, options]) => {
    const isOptimizer = title.startsWith("Optimizer");
    return `## ${title}\n\n${text}\n\n${optionTable(options, !isOptimizer)}\n`;
  });
  return [INTRODUCTION, ...parts].join("\n");
}

/** A table of options, with their flags if they have flags with their own names. */
export function optionTable(options: Options, flags = false): string {
  const entries = Object.entries(options).filter(([, one]) => !one.filledIn);
  const all: Column[] = [
    ["option", (name) => `\`${name}\``],
    ["flag", (name, one) => (flags && hasFlag(one) ? `\`${new DeclaredFlag(name, one).flags}\`` : "")],
    ["description", (_, { help = "", fixedOnResume }) => (fixedOnResume ? `${help} (*fixed*)` : help)],
    ["values", (_, one) => expectedOf(one)],
    ["default", (_, { fallback }) => `\`${JSON.stringify(fallback)}\``],
    [
      "on the command line",
      (_, { cli }) => (cli ? `${cli.shown ?? `\`${JSON.stringify(cli.default)}\``}: ${cli.reason}` : ""),
    ],
  ];
  const columns = all.filter(([, cell]) => entries.some(([name, one]) => cell(name, one) !== ""));
  const rows = [
    columns.map(([head]) => head),
    columns.map(() => "---"),
    ...entries.map(([name, one]) => columns.map(([, cell]) => cell(name, one))),
  ];
  return rows.map((cells) => `| ${cells.map(escaped).join(" | ")} |`).join("\n");
}

/** The header of a column, and its cell for an option. */
type Column = readonly [head: string, cell: (name: string, one: Option<unknown>) => string];

const escaped = (cell: string): string => cell.replaceAll("|", "\\|");
