/** docs/methods.md, made from the method files: what `lorikeet methods --markdown` prints. */

import { describeConfig } from "../../adapt/describe.ts";
import { knownMethods, methodNamed } from "../../adapt/files/known-methods.ts";
import { type Method, optionsOf } from "../../adapt/method/define-method.ts";
import type { Option } from "../../adapt/method/options.ts";
import { type DescribedModel, describeModel } from "../../auto/auto-model.ts";
import { UnsupportedError } from "../../core/errors.ts";
import { FILLED } from "../method-options.ts";
import { grouped } from "../terminal.ts";

/** GPT-2 small, on which methods are counted. */
const GPT2 = { model_type: "gpt2" };

const INTRODUCTION = `# Methods

Every method of \`src/methods/\`: what it does to the model, its options with their defaults, how much it trains on GPT-2 small
(124 M parameters, default targets), and when to choose it. This page is made from the method files by
\`lorikeet methods --markdown\`; \`lorikeet train --method NAME --help\` has the same options on the command line.

In the equations x is a layer's input, y its output, W the frozen weight; everything else is trained unless said otherwise.
Options that all methods with target modules share: \`targetModules\`, \`excludeModules\`, \`layersToTransform\`, \`layersPattern\`,
\`modulesToSave\`. Methods that replace or add to weights can be merged into them; the others stay beside the base.
`;

const FULL = `## full: Full training

Every weight is trained and the result is a model, not an adapter: \`lorikeet train --method full\`, or \`fullTraining\`.

- **Trains on GPT-2 small**: 124,439,808 of 124,439,808 (100 %)
- **When**: The baseline to compare with; when memory for three more copies of the weights is there and one task is all.
`;

/** The page. */
export async function methodsPage(): Promise<string> {
  const model = await describeModel(GPT2, "GPT-2 small", "CAUSAL_LM");
  const sections = await Promise.all(knownMethods().map(async (name) => section(name, await methodNamed(name), model)));
  return [INTRODUCTION, ...sections, FULL].join("\n");
}

function section(name: string, method: Method, model: DescribedModel): string {
  const { title, paper, equation, when, learningRate = 2e-4 } = method.about;
  return `## ${name}: ${title}

\`\`\`text
${equation}
\`\`\`

- **Paper**: ${paper}
- **Trains on GPT-2 small**: ${share(method, model)}
- **Merges into the weights**: ${merges(method) ? "yes" : "no"}
- **Learning rate to begin with**: ${learningRate}
- **When**: ${when}

| option | default | |
| --- | --- | --- |
${ownOptions(method).map(row).join("\n")}
`;
}

function ownOptions(method: Method): [string, Option<unknown>][] {
  const all = { ...(method.common && optionsOf(method)), ...method.options };
  return Object.entries(all).filter(([name]) => !FILLED.has(name) && !SHARED.has(name));
}

const SHARED = new Set(["targetModules", "excludeModules", "layersToTransform", "layersPattern", "modulesToSave"]);

function row([name, { fallback, help, expected }]: [string, Option<unknown>]): string {
  return `| \`${name}\` | \`${JSON.stringify(fallback)}\` | ${(help || expected).replaceAll("|", "\\|")} |`;
}

function merges(method: Method): boolean {
  return method.sites === undefined;
}

function share(method: Method, model: DescribedModel): string {
  const { example = {} } = method.about;
  const given = Object.entries(example).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const where = given.length > 0 ? `, with ${given.join(", ")}` : "";
  try {
    const { trainable, all } = describeConfig(model, method(example), () => {});
    return `${grouped(trainable)} of ${grouped(all)} (${Number(((100 * trainable) / all).toPrecision(3))} %)${where}`;
  } catch (error) {
    if (error instanceof UnsupportedError) return "not possible, as in PEFT: it adapts layers that GPT-2 does not have";
    throw error;
  }
}
