/** The folder of a run: its checkpoints, its best model, its result, and the files that report on it. Loaded for the first run that has one. */
import { StateError } from "../../core/errors.ts";
import type { RunFolder } from "../../core/host.ts";
import type { Spell } from "../../core/options.ts";
import type { Optimizer } from "../../optim/define-optimizer.ts";
import type { Settings } from "../arguments.ts";
import type { Trainable } from "../trainable.ts";
import { atStart, type LogEntry, type Progress } from "./progress.ts";
import type { RunIdentity } from "./run-identity.ts";
import { checkpointsOf, readParams, readState, writeParams, writeState } from "./run-state.ts";
import { appendMetrics, rewriteMetrics, trainerState } from "./trainer-state.ts";

export { identityOf } from "./run-identity.ts";

/** The files that a run writes to the top of its folder. */
const OURS = /^(checkpoint-\d+|adapter|best|metrics\.jsonl|trainer_state\.json|profile\.md|trace\.json)$/;

/** What a run's folder holds the results of. */
export interface RunOutputOptions {
  readonly folder: RunFolder;
  readonly model: Trainable;
  readonly args: Settings;
  /** Optimizer steps of the run. */
  readonly steps: number;
  /** Epochs completed, with a fraction. */
  readonly epochOf: (progress: Progress) => number;
  readonly warn: (text: string) => void;
  /** How messages spell the names of settings. */
  readonly spell: Spell;
}

export class RunOutput {
  readonly #of: RunOutputOptions;

  constructor(options: RunOutputOptions) {
    this.#of = options;
  }

  /** Makes the folder ready. Throws StateError if it already has a run that is neither continued nor overwritten. */
  async prepare(resume: boolean): Promise<void> {
    const { folder, args, spell } = this.#of;
    await folder.recover();
    if (resume) return;
    const ours = (await folder.list()).filter((name) => OURS.test(name));
    if (ours.length > 0 && !args.overwriteOutputDir) {
      throw new StateError(
        `${folder.name} already contains a run (${ours.join(", ")}): continue it with ${spell("resume")}, delete it with ${spell("overwriteOutputDir")}, or choose another folder`,
      );
    }
    for (const name of ours) await folder.remove(name);
    await rewriteMetrics(folder, []); // fails early if the folder is not writable
  }

  /** Reads the newest checkpoint into the model and the optimizer. Starts from the beginning if there is none. */
  async restore(optimizer: Optimizer, identity: RunIdentity): Promise<Progress> {
    const { folder, spell, warn } = this.#of;
    const newest = (await checkpointsOf(folder)).at(-1);
    if (newest === undefined) {
      warn(`${folder.name} has no checkpoint to resume from: starting from the beginning`);
      await rewriteMetrics(folder, []);
      return atStart;
    }
    const source = folder.source(`checkpoint-${newest}`);
    try {
      const progress = await readState(source, { optimizer, method: this.#method, identity, spell });
      await rewriteMetrics(folder, progress.log);
      return progress;
    } finally {
      await source.close();
    }
  }

  /** Writes a checkpoint, and removes those that `saveTotalLimit` no longer allows. */
  async save(optimizer: Optimizer, identity: RunIdentity, progress: Progress): Promise<void> {
    const { folder, model, args } = this.#of;
    const state = this.#stateText(progress);
    await folder.replace(`checkpoint-${progress.step}`, async (target) => {
      await model.savePretrained(target);
      await writeState(target, optimizer, this.#method, progress, identity);
      await target.write("trainer_state.json", [state]);
    });
    await folder.target().write("trainer_state.json", [state]);
    const { saveTotalLimit } = args;
    if (saveTotalLimit === null) return;
    for (const step of (await checkpointsOf(folder)).slice(0, -saveTotalLimit)) {
      await folder.remove(`checkpoint-${step}`);
    }
  }

  /** Keeps the model of the best evaluation. */
  async saveBest(optimizer: Optimizer): Promise<void> {
    const { folder, model, args } = this.#of;
    await folder.replace("best", async (target) => {
      await model.savePretrained(target);
      if (args.loadBestModelAtEnd) await writeParams(target, optimizer);
    });
  }

  /** Appends a report. */
  async append(entry: LogEntry): Promise<void> {
    await appendMetrics(this.#of.folder, entry);
  }

  /** Writes the result: the parameters of the best evaluation if that is what the settings ask for. */
  async finish(optimizer: Optimizer, progress: Progress): Promise<void> {
    const { folder, model, args } = this.#of;
    if (args.loadBestModelAtEnd && progress.best) await readParams(folder.source("best"), optimizer);
    await folder.replace("adapter", (target) => model.savePretrained(target));
    await folder.target().write("trainer_state.json", [this.#stateText(progress)]);
  }

  get #method(): ReadonlyMap<string, Float32Array> {
    return this.#of.model.namedState?.() ?? new Map();
  }

  #stateText(progress: Progress): Uint8Array {
    const { args, steps, epochOf } = this.#of;
    return new TextEncoder().encode(trainerState(progress, args, steps, epochOf(progress)));
  }
}
