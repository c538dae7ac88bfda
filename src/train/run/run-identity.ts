/** What a resumed run must share with the run that it continues, to end as if it had never stopped. */

import { hashOf } from "../../checkpoint/file-hashes.ts";
import type { Option } from "../../core/options.ts";
import { parseJson } from "../../core/python-json.ts";
import { storedBytes } from "../../tensor/elements.ts";
import { type Settings, settings } from "../arguments.ts";
import { fingerprint, type TrainingExample } from "../check-examples.ts";
import type { Trainable } from "../trainable.ts";

/** Settings of the run and of what is trained, and fingerprints of the data, by name. */
export type RunIdentity = Readonly<Record<string, string | number | boolean | null>>;

/** The location of the base may change: a moved folder is still the same base. */
const MOVABLE = new Set(["base_model_name_or_path", "_name_or_path"]);

const isRecord = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The part of an identity that settings determine. Records are stored as JSON. */
export function identityOfSettings(args: Settings): RunIdentity {
  const fixed = Object.entries<Option<unknown>>(settings).filter(([, { fixedOnResume }]) => fixedOnResume);
  return Object.fromEntries(
    fixed.map(([name]) => {
      const value = args[name as keyof Settings];
      return [name, isRecord(value) ? JSON.stringify(Object.fromEntries(Object.entries(value).sort())) : value];
    }),
  );
}

/** The settings in an identity. */
export function settingsOfIdentity(identity: RunIdentity): Partial<Settings> {
  const own = Object.entries<Option<unknown>>(settings).filter(([name]) => Object.hasOwn(identity, name));
  const read = (value: unknown, { fallback }: Option<unknown>) =>
    isRecord(fallback) ? JSON.parse(String(value)) : value;
  return Object.fromEntries(own.map(([name, one]) => [name, read(identity[name], one)]));
}

/** The identity of a run. What is trained is described by the .json files that saving it writes. */
export async function identityOf(
  model: Trainable,
  args: Settings,
  trainDataset: readonly TrainingExample[],
  evalDataset: readonly TrainingExample[] | null,
): Promise<RunIdentity> {
  return {
    ...identityOfSettings(args),
    dropout: args.dropout ?? model.dropout,
    trainingData: fingerprint(trainDataset),
    evaluationData: evalDataset === null ? null : fingerprint(evalDataset),
    ...(await describe(model)),
    ...(await weightsOf(model)),
  };
}

/** The hash of the weights that are not trained: their values as the engine holds them. */
export const BASE_WEIGHTS = "baseWeights";
/** Bytes hashed at a time. */
const PIECE = 2 ** 24;

/** Nothing if every weight is trained, or where the host has no SHA-256. */
async function weightsOf(model: Trainable): Promise<RunIdentity> {
  const { memory } = model.engine;
  const hashes: (string | null)[] = [];
  for (const weight of model.frozenWeights?.() ?? []) {
    const pieces = function* () {
      const { length } = storedBytes(memory, weight);
      for (let at = 0; at < length; at += PIECE) yield storedBytes(memory, weight).subarray(at, at + PIECE);
    };
    hashes.push(await hashOf(pieces()));
  }
  const whole = await hashOf([new TextEncoder().encode(hashes.join("\n"))]);
  return hashes.length === 0 || whole === null ? {} : { [BASE_WEIGHTS]: whole.slice(0, 32) };
}

/**
 * Every key of every .json file that saving the model writes, as "FILE KEY"; except those that training changes, which
 * are in the run's state.
 */
async function describe(model: Trainable): Promise<RunIdentity> {
  const found: Record<string, string> = {};
  await model.savePretrained({
    name: "a description",
    async write(file, chunks) {
      if (!file.endsWith(".json")) return;
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
      const config = parseJson(text + decoder.decode(), file);
      for (const [key, value] of Object.entries(config ?? {})) {
        if (!MOVABLE.has(key) && !model.isLearned?.(file, key)) found[`${file} ${key}`] = JSON.stringify(value);
      }
    },
  });
  return found;
}
