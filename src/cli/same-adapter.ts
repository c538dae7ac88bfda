/**
 * A resumed run must continue with the adapter that it started with: not only the same shapes, which loading checks,
 * but the same options.
 */
import { CONFIG_FILE } from "../adapt/files/config-file.ts";
import { sameJson } from "../adapt/method/options.ts";
import type { PeftModel } from "../adapt/peft-model.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { mapSource } from "../checkpoint/source.ts";
import { StateError } from "../core/errors.ts";
import type { RunFolder, Source } from "../core/host.ts";
import { listProblems } from "../core/problems.ts";
import { expectIntact, fromCheckpoint } from "../train/run/choose-checkpoint.ts";

/** The location of the base may change between a run and its continuation. */
const FREE = "base_model_name_or_path";

/**
 * Throws StateError that lists every option in which the adapter of the checkpoint to continue from differs from the model's.
 */
export async function expectSameAdapter(run: RunFolder, resume: true | string, model: PeftModel): Promise<void> {
  const read = async (source: Source) => {
    if (!(await source.has(CONFIG_FILE))) return null; // no adapter: the trainer tells what differs
    await expectIntact(source, [CONFIG_FILE]);
    return { from: source.name, was: await optionsIn(source) };
  };
  const saved = await fromCheckpoint(run, resume, read, () => {});
  if (saved === null) return;
  const { from, was } = saved;
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  const is = await optionsIn(mapSource(files));
  const free = (key: string) => key === FREE || model.isLearned(CONFIG_FILE, key); // saved in the state
  const different = Object.keys(is).filter((key) => !free(key) && !sameJson(was[key], is[key]));
  if (different.length === 0) return;
  const lines = different.map((key) => `${key}: was ${JSON.stringify(was[key])}, is ${JSON.stringify(is[key])}`);
  throw new StateError(
    `${listProblems(`cannot resume from ${from}: the adapter's options have changed`, lines)}\n` +
      "Resume with the same options, or start a new run in another folder.",
  );
}

async function optionsIn(source: Source): Promise<Record<string, unknown>> {
  return (await readJson(source, CONFIG_FILE)) as Record<string, unknown>;
}
