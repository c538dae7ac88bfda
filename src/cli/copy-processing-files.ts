/** Files next to a model's weights that also belong to a model derived from it. */
import { openSource } from "../checkpoint/open.ts";
import type { Target } from "../core/host.ts";

const processing = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "spiece.model",
  "added_tokens.json",
  "preprocessor_config.json",
];

/** Copies the tokenizer's files and other processing files from a model folder. */
export async function copyProcessingFiles(folder: string, target: Target): Promise<void> {
  const source = openSource(folder);
  try {
    for (const file of processing) {
      if (await source.has(file)) await target.write(file, [await source.read(file)]);
    }
  } finally {
    await source.close();
  }
}
