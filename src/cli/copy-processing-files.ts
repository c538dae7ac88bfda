/** Files next to a model's weights that also belong to a model derived from it. */
import { readJson } from "../checkpoint/checkpoint.ts";
import { HASHES_FILE } from "../checkpoint/file-hashes.ts";
import { openSource } from "../checkpoint/open.ts";
import type { Source, Target } from "../core/host.ts";

/** Files of weights in any library's format, their indexes, and what a trainer leaves beside them. */
export const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|onnx|gguf|ot|tflite|npz)(\.index\.json)?$/i;
/** Written anew, or about an adapter or a run rather than the model. */
const OTHERS = new Set(["config.json", "adapter_config.json", "trainer_state.json", HASHES_FILE]);
/** What a tokenizer is read from. */
const TOKENIZER =
  /^(tokenizer|special_tokens_map|added_tokens|chat_template|vocab|merges|spiece|sentencepiece|spm|additional_chat_templates\/)/;

/** What is looked for where a folder cannot be listed. */
const usual = [
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
  ...["vocab.json", "vocab.txt", "merges.txt"],
  ...["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model"],
  ...["chat_template.jinja", "chat_template.json"],
  ...["additional_chat_templates/tool_use.jinja", "additional_chat_templates/rag.jinja"],
  ...["generation_config.json", "preprocessor_config.json", "processor_config.json", "modules.json"],
  ...["sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json", "LICENSE"],
];

/**
 * Copies every file of a model folder but its weights and config. Folders below come along unless they hold weights, which are
 * those of another form of the model; the modules of sentence-transformers come with theirs. The tokenizer is that of
 * `tokenizerFrom` where that folder has one: an adapter that was trained on added tokens brings it.
 */
export async function copyProcessingFiles(folder: string, target: Target, tokenizerFrom?: string): Promise<void> {
  const source = openSource(folder);
  const other = tokenizerFrom === undefined ? null : openSource(tokenizerFrom);
  try {
    const brought = other === null ? [] : await tokenizerFiles(other);
    for (const file of await processingFiles(source)) {
      if (brought.length === 0 || !TOKENIZER.test(file)) await target.write(file, [await source.read(file)]);
    }
    for (const file of brought) await target.write(file, [await other!.read(file)]);
  } finally {
    await source.close();
    await other?.close();
  }
}

/** Whether a folder has a tokenizer, which is then all of these files. */
async function tokenizerFiles(source: Source): Promise<string[]> {
  const files = (await listed(source)).filter((file) => TOKENIZER.test(file));
  return files.includes("tokenizer_config.json") || files.includes("tokenizer.json") ? files : [];
}

async function processingFiles(source: Source): Promise<string[]> {
  const files = (await listed(source)).filter((file) => !/(^|\/)\./.test(file));
  const modules = await sentenceModules(source);
  const folderOf = (file: string) => file.slice(0, file.indexOf("/") + 1);
  const foreign = new Set(files.filter((file) => WEIGHTS.test(file)).map(folderOf));
  return files.filter((file) => {
    const folder = folderOf(file);
    if (folder === "") return !WEIGHTS.test(file) && !OTHERS.has(file);
    return modules.includes(folder) || !foreign.has(folder);
  });
}

async function listed(source: Source): Promise<string[]> {
  const files = await source.list(true);
  if (files !== null) return files;
  const there = await Promise.all(usual.map((file) => source.has(file)));
  return usual.filter((_, i) => there[i]);
}

/** Folders of the modules that sentence-transformers runs after the model, each with a "/". */
async function sentenceModules(source: Source): Promise<string[]> {
  if (!(await source.has("modules.json"))) return [];
  const modules = await readJson(source, "modules.json");
  const paths = Array.isArray(modules) ? modules.map((each) => (each as { path?: unknown } | null)?.path) : [];
  return paths.flatMap((path) => (typeof path === "string" && path !== "" ? [`${path.split("/")[0]}/`] : []));
}
