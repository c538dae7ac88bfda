/** lorikeet add-tokens: writes a model folder with more tokens, to train on. */
import type { Command } from "commander";
import { openSource, openTarget } from "../../checkpoint/open.ts";
import { FormatError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { flag, type ValuesOf, whole, wholeOrNull } from "../../core/options.ts";
import { resizeTokenEmbeddings } from "../../nn/tensors/resize-token-embeddings.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { addTokens } from "../../tokenizers/add-tokens.ts";
import { readTokenizerFolder } from "../../tokenizers/convert/read-tokenizer-folder.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { copyProcessingFiles } from "../copy-processing-files.ts";
import { outputPath, requiredText } from "../flags/options.ts";
import { engineFor, loadBase, modelOptions } from "../model-options.ts";
import { expectModel, expectNoFile } from "../paths/mistaken-paths.ts";
import { counted, print } from "../terminal.ts";

const options = {
  model: modelOptions.model,
  addTokens: requiredText({ help: "tokens to add, with commas between them", placeholder: "tokens" }),
  special: flag(false, "leave them out of decoded text, as <s> is"),
  padToMultipleOf: wholeOrNull(1, { help: "round the rows of the embedding up to a multiple of this" }),
  seed: whole(0, 0, { help: "decides the start of the new rows" }),
  output: outputPath("folder to write"),
  ...engineOptions,
};

export const command: Command = commandOf("add-tokens", {
  description:
    "Write a model folder with more tokens. Their embeddings start at the mean of the others and are to be trained: by " +
    "--trainable-token-indices or --modules-to-save.",
  options,
  examples: `
    $ lorikeet add-tokens --model base --add-tokens "<tool>,<end>" --special --output base-tools
    $ lorikeet train --model base-tools --data tools.jsonl --output runs/tools --trainable-token-indices 32000,32001`,
  run,
});

async function run(flags: ValuesOf<typeof options>): Promise<void> {
  const tokens = flags.addTokens.split(",").filter((token) => token !== "");
  if (tokens.length === 0) throw new FormatError("--add-tokens names no token");
  expectModel(flags.model);
  expectNoFile(flags.output, "--output");
  const source = openSource(flags.model);
  const target = openTarget(flags.output);
  const { tokenizer, config } = await readTokenizerFolder(source);
  const extended = addTokens({ tokenizer, config }, tokens, flags.special);
  const model = await loadBase(flags.model, engineFor(flags), null);
  const { padToMultipleOf, seed } = flags;
  const rows = resizeTokenEmbeddings(model, Math.max(model.vocabSize, extended.count), { padToMultipleOf, seed });
  await copyProcessingFiles(flags.model, target);
  await saveModel(model, target);
  await writeJson(target, "tokenizer.json", extended.tokenizer);
  await writeJson(target, "tokenizer_config.json", extended.config);
  await extendAddedTokens(source, target, tokens, extended.ids);
  await source.close();
  const list = tokens.map((token, i) => `${token} ${extended.ids[i]}`).join(", ");
  print(`wrote ${flags.output} with ${list}; the embedding has ${counted(rows, "row")}`);
}

/** added_tokens.json of older folders names ids once more. */
async function extendAddedTokens(
  source: Source,
  target: ReturnType<typeof openTarget>,
  tokens: readonly string[],
  ids: readonly number[],
): Promise<void> {
  const file = "added_tokens.json";
  if (!(await source.has(file))) return;
  const before = JSON.parse(new TextDecoder().decode(await source.read(file))) as Record<string, number>;
  await writeJson(target, file, { ...before, ...Object.fromEntries(tokens.map((token, i) => [token, ids[i]!])) });
}

async function writeJson(target: ReturnType<typeof openTarget>, file: string, value: unknown): Promise<void> {
  await target.write(file, [new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)]);
}
