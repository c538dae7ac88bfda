/** docs/methods.md, generated from the method files: the output of `lorikeet methods --markdown`. */

import { describeConfig } from "../../adapt/describe.ts";
import { knownMethods, methodNamed } from "../../adapt/files/known-methods.ts";
import { common, type Method, optionsOf } from "../../adapt/method/define-method.ts";
import { type DescribedModel, describeModel } from "../../auto/auto-model.ts";
import { UnsupportedError } from "../../core/errors.ts";
import type { Option } from "../../core/options.ts";
import { adapterRate } from "../../nn/tasks/suggested-rate.ts";
import { grouped } from "../terminal.ts";
import { optionTable } from "./settings-page.ts";

/** GPT-2 small, the model for the parameter counts. */
const GPT2 = { model_type: "gpt2" };

const INTRODUCTION = `# Methods

Every method of \`src/methods/\`: what it does to the model, its options with their defaults, how many parameters it trains
on GPT-2 small (124 M parameters, default targets), and when to choose it. This page is generated from the method files by
\`lorikeet methods --markdown\`; \`lorikeet train --method NAME --help\` has the same options as flags.

In the equations x is a layer's input, y its output, W the frozen weight; everything else is trained unless stated otherwise.
Methods that replace or add to weights can be merged into them; the others remain separate from the base.

All methods with target modules also have these options:

${optionTable(common)}
`;

const FULL = `## full: Full training

Every weight is trained and the result is a model, not an adapter: \`lorikeet train --method full\`, or \`fullTraining\`.

- **Trains on GPT-2 small**: 124,439,808 of 124,439,808 (100 %)
- **When**: As the baseline for comparison, or for a single task when there is memory for three more copies of the weights.
`;

/** The page. */
export async function methodsPage(): Promise<string> {
  const model = await describeModel(GPT2, "GPT-2 small", "CAUSAL_LM");
  const sections = await Promise.all(knownMethods().map(async (name) => section(name, await methodNamed(name), model)));
  return [INTRODUCTION, ...sections, FULL].join("\n");
}

function section(name: string, method: Method, model: DescribedModel): string {
  const { title, paper, equation, when, learningRate = byWidth() } = method.about;
  return `## ${name}: ${title}

\`\`\`text
${equation}
\`\`\`

- **Paper**: ${paper}
- **Trains on GPT-2 small**: ${share(method, model)}
- **Merges into the weights**: ${merges(method) ? "yes" : "no"}
- **Suggested learning rate**: ${learningRate}
- **When**: ${when}

${optionTable(Object.fromEntries(ownOptions(method)))}
`;
}

/** The rates of methods without their own, for two widths. */
function byWidth(): string {
  const [narrow, wide] = [768, 4096].map((width) => `${adapterRate(width).value} at width ${width}`);
  return `by the width of the model: ${narrow}, ${wide}`;
}

function ownOptions(method: Method): [string, Option<unknown>][] {
  const shared = new Set<Option<unknown>>(Object.values(common));
  return Object.entries(optionsOf(method)).filter(([, one]) => !one.filledIn && !shared.has(one));
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
    if (error instanceof UnsupportedError)
      return "not supported, as in PEFT: it adapts layers that GPT-2 does not have";
    throw error;
  }
}
