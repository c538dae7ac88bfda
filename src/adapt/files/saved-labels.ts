/** The labels of a head that was trained with an adapter: a file beside it, which PEFT does not read. */
import { readJson } from "../../checkpoint/checkpoint.ts";
import type { Source, Target } from "../../core/host.ts";
import type { RawConfig } from "../../nn/config.ts";
import { labelsOf } from "../../nn/tasks/label-names.ts";
import type { ModelClass } from "./config-file.ts";

const LABELS_FILE = "config.json";

/** The labels in an adapter folder, or null. */
export async function readLabels(source: Source): Promise<RawConfig | null> {
  if (!(await source.has(LABELS_FILE))) return null;
  const labels = labelsOf((await readJson(source, LABELS_FILE)) as RawConfig);
  return Object.keys(labels).length === 0 ? null : labels;
}

/** Writes labels into an adapter folder as a model's config has them. */
export async function writeLabels(labels: RawConfig, model: ModelClass, folder: Target): Promise<void> {
  const config = { model_type: model.modelType, architectures: [model.architecture], ...labels };
  await folder.write(LABELS_FILE, [new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)]);
}
