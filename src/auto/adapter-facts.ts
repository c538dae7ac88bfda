/** What an adapter folder states about the model that it is for. */
import { subFolder } from "../adapt/files/adapterhub-setup.ts";
import { CONFIG_FILE } from "../adapt/files/config-file.ts";
import { headSize } from "../adapt/files/load.ts";
import { readLabels } from "../adapt/files/saved-labels.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { openSource, type SourceLike } from "../checkpoint/open.ts";
import { numberedLabels } from "../core/labels.ts";
import { type Task, tasks } from "../core/task.ts";
import type { RawConfig } from "../nn/config.ts";
import { labelConfig } from "../nn/tasks/label-names.ts";
import { taskDefinitions } from "../tasks/index.generated.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import type { FromPretrainedOptions } from "./auto-model.ts";

/** What is known before the model is loaded. */
export interface AdapterFacts {
  readonly task: Task | null;
  /** Labels of the head that was trained with it. */
  readonly config: RawConfig;
  /** The base by its path or hub name, "" where none is named, with `@revision` where one is. */
  readonly base: string;
  /** The class of the base where no task is named, as PEFT writes it. */
  readonly architecture: string | null;
}

/** Reads what an adapter folder says of its task, its labels and its base; of a folder that is not PEFT's, what is there. */
export async function adapterFacts(from: SourceLike, subfolder = ""): Promise<AdapterFacts> {
  const source = subFolder(openSource(from), subfolder);
  try {
    const adapter = (await source.has(CONFIG_FILE)) ? ((await readJson(source, CONFIG_FILE)) as RawConfig) : {};
    const { base_model_name_or_path: path, revision, auto_mapping: mapping } = adapter;
    const named = typeof path === "string" ? path : "";
    const heads = tasks.flatMap((task): readonly string[] => headsOf(taskDefinitions[task]));
    const labels = (await readLabels(source)) ?? numbered(await headSize(source, [...new Set(heads)]));
    const { base_model_class: architecture } = (mapping ?? {}) as { base_model_class?: unknown };
    return {
      task: tasks.find((task) => task === adapter.task_type) ?? null,
      config: labels,
      base: named !== "" && typeof revision === "string" && !named.includes("@") ? `${named}@${revision}` : named,
      architecture: typeof architecture === "string" ? architecture : null,
    };
  } finally {
    await source.close();
  }
}

function headsOf({ classes, headModules }: TaskDefinition): readonly string[] {
  return classes === undefined ? [] : headModules;
}

/** One label per output of the head in an adapter's file. */
function numbered(count: number | null): RawConfig {
  return count === null ? {} : labelConfig(numberedLabels(count));
}

/** How to load a base whose head comes from an adapter: the base itself may have another head or none. */
export function headFrom({
  config,
}: Pick<AdapterFacts, "config">): Pick<FromPretrainedOptions, "config" | "ignoreMismatchedSizes" | "onWarning"> {
  const brings = Object.keys(config).length > 0;
  return brings ? { config, ignoreMismatchedSizes: true, onWarning: () => {} } : { config };
}
