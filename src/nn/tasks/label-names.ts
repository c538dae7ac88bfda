/** The number of outputs of a classification head and their names: `id2label` of a config. */
import { FormatError } from "../../core/errors.ts";
import type { ProblemType } from "../../core/labels.ts";
import { ConfigReader, type RawConfig } from "../config.ts";

/** transformers' default number of labels. */
const BY_DEFAULT = 2;

/** The number of outputs of the head according to a config. */
export function outputsOf(config: ConfigReader): number {
  expectProblemType(config);
  const names = labelNames(config.raw, config.name);
  return names?.length ?? config.count("num_labels", BY_DEFAULT);
}

const problemTypes: readonly ProblemType[] = [
  "single_label_classification",
  "multi_label_classification",
  "regression",
];

/** Throws FormatError for a `problem_type` that says nothing about the outputs. */
function expectProblemType(config: ConfigReader): void {
  const named = config.has("problem_type") ? config.string("problem_type") : null;
  if (named !== null && !problemTypes.includes(named as ProblemType))
    throw config.wrong("problem_type", named, problemTypes.map((type) => `"${type}"`).join(" or "));
}

/**
 * The names of the labels in order, or null if the config has none. Throws FormatError unless they are numbered from 0.
 */
export function labelNames(config: RawConfig, name = "config.json"): string[] | null {
  const entries = new ConfigReader(config, name).object("id2label")?.raw;
  if (entries === undefined) return null;
  const count = Object.keys(entries).length;
  return Array.from({ length: count }, (_, i) => {
    const label = entries[String(i)];
    if (typeof label === "string") return label;
    throw new FormatError(`${name}: "id2label" has ${count} labels but none called "${i}", expected 0 to ${count - 1}`);
  });
}

/** The keys of a config that name labels, as transformers writes them. */
export function labelConfig(names: readonly string[]): RawConfig {
  return {
    id2label: Object.fromEntries(names.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(names.map((label, i) => [label, i])),
  };
}

/** The keys of a config that define the meaning of labels. */
export const LABEL_KEYS = ["num_labels", "id2label", "label2id", "problem_type"] as const;

/** The keys of a config that define the meaning of labels, where they are given. */
export function labelsOf(config: RawConfig): RawConfig {
  return Object.fromEntries(
    LABEL_KEYS.filter((key) => (config[key] ?? null) !== null).map((key) => [key, config[key]]),
  );
}

/** A config with these labels instead of those it has. */
export function withLabels(config: RawConfig, labels: RawConfig): RawConfig {
  const others = Object.entries(config).filter(([key]) => !(LABEL_KEYS as readonly string[]).includes(key));
  return { ...Object.fromEntries(others), ...labels };
}
