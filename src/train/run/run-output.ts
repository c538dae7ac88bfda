/** The folder of a run: its checkpoints, its best model, its result, and the files that report on it. Loaded for the first run that has one. */
import { writeHashed } from "../../checkpoint/file-hashes.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { RunFolder, Source, Target } from "../../core/host.ts";
import type { Spell } from "../../core/options.ts";
import type { Optimizer } from "../../optim/define-optimizer.ts";
import type { Settings } from "../arguments.ts";
import type { StepSchedule } from "../step-schedule.ts";
import type { Trainable } from "../trainable.ts";
import { checkpointsOf, expectIntact, expectWhole, fromCheckpoint } from "./choose-checkpoint.ts";
import { atStart, type LogEntry, type Progress } from "./progress.ts";
import type { Resume } from "./resume.ts";
import type { RunIdentity } from "./run-identity.ts";
import { PARAMS, readParams, readState, writeParams, writeState } from "./run-state.ts";
import { appendMetrics, rewriteMetrics, trainerState } from "./trainer-state.ts";

export { identityOf } from "./run-identity.ts";

/** The files that a run writes to the top of its folder. */
const OURS =
  /^(checkpoint-\d+|adapter|best|metrics\.jsonl|trainer_state\.json|test_results\.json|profile\.md|trace\.json)$/;

/** Throws StateError if a folder holds a run. */
export async function expectNoRun(folder: RunFolder, spell: Spell): Promise<void> {
  const ours = (await folder.list()).filter((name) => OURS.test(name));
  if (ours.length === 0) return;
  throw new StateError(
    `${folder.name} already contains a run (${ours.join(", ")}): continue it with ${spell("resume")}, delete it with ${spell("overwriteOutputDir")}, or choose another folder`,
  );
}

/** What a run's folder holds the results of. */
export interface RunOutputOptions {
  readonly folder: RunFolder;
  readonly model: Trainable;
  readonly args: Settings;
  readonly schedule: StepSchedule;
  readonly warn: (text: string) => void;
  /** How messages spell the names of settings. */
  readonly spell: Spell;
}

export class RunOutput {
  readonly #of: RunOutputOptions;
  #release: (() => Promise<void>) | null = null;

  constructor(options: RunOutputOptions) {
    this.#of = options;
  }

  /**
   * Locks the folder and makes it ready. Throws StateError if another run is using it, or if it already has a run that is
   * neither continued nor overwritten. `close` releases it.
   */
  async prepare(resume: Resume): Promise<void> {
    const { folder, args, spell, warn } = this.#of;
    this.#release = await folder.lock(warn);
    await folder.recover();
    if (resume !== false) return;
    const ours = (await folder.list()).filter((name) => OURS.test(name));
    if (!args.overwriteOutputDir) await expectNoRun(folder, spell);
    for (const name of ours) await folder.remove(name);
    await rewriteMetrics(folder, []); // fails early if the folder is not writable
  }

  /** Lets other runs use the folder. */
  async close(): Promise<void> {
    const release = this.#release;
    this.#release = null;
    await release?.();
  }

  /**
   * Reads the newest checkpoint that is not damaged, or the one that is named, into the model and the optimizer. Starts from
   * the beginning if there is none.
   */
  async restore(resume: true | string, optimizer: Optimizer, identity: RunIdentity): Promise<Progress> {
    const { folder, spell, warn, schedule } = this.#of;
    const { steps } = schedule;
    const reached = (step: number) => schedule.reached(step);
    const resumed = { optimizer, method: this.#method, identity, steps, reached, spell };
    const read = async (source: Source, name: string) => {
      await expectWhole(source, warn);
      const progress = await readState(source, resumed);
      if (name === `checkpoint-${progress.step}`) return progress;
      throw new FormatError(`${source.name} holds the state after ${progress.step} steps`);
    };
    const progress = await fromCheckpoint(folder, resume, read, warn);
    if (progress === null) warn(`${folder.name} has no checkpoint to resume from: starting from the beginning`);
    else if (progress.best) await this.#expectBest();
    await rewriteMetrics(folder, progress?.log ?? []);
    return progress ?? atStart;
  }

  /** The best model was not trained by the process that resumes: it must be what was written. */
  async #expectBest(): Promise<void> {
    const { folder, args, spell, warn } = this.#of;
    const source = folder.source("best");
    try {
      await expectIntact(source);
      if (args.loadBestModelAtEnd && !(await source.has(PARAMS)))
        throw new FormatError(`${source.name} lacks "${PARAMS}"`);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const advice = "Resume from a checkpoint before it by its name, and it is written again";
      const text = `the best model of ${folder.name} is damaged: ${error.message}. ${advice}`;
      if (args.loadBestModelAtEnd) throw new StateError(`${spell("loadBestModelAtEnd")}: ${text}`);
      warn(text);
    } finally {
      await source.close();
    }
  }

  /** Writes a checkpoint, and removes those that `saveTotalLimit` no longer allows. */
  async save(optimizer: Optimizer, identity: RunIdentity, progress: Progress): Promise<void> {
    const { folder, model, args } = this.#of;
    const state = this.#stateText(progress);
    await this.#replace(`checkpoint-${progress.step}`, async (target) => {
      await model.savePretrained(target);
      await writeState(target, optimizer, this.#method, progress, identity);
      await target.write("trainer_state.json", [state]);
    });
    await folder.target().write("trainer_state.json", [state]);
    const { saveTotalLimit } = args;
    if (saveTotalLimit === null) return;
    const older = (await checkpointsOf(folder)).filter((step) => step <= progress.step); // later ones are another run's end
    for (const step of older.slice(0, -saveTotalLimit)) await folder.remove(`checkpoint-${step}`);
  }

  /** Keeps the model of the best evaluation. */
  async saveBest(optimizer: Optimizer, step: number): Promise<void> {
    const { model, args } = this.#of;
    await this.#replace("best", async (target) => {
      await model.savePretrained(target);
      if (args.loadBestModelAtEnd) await writeParams(target, optimizer, step);
    });
  }

  /** Appends a report. */
  async append(entry: LogEntry): Promise<void> {
    await appendMetrics(this.#of.folder, entry);
  }

  /** Writes the result: the parameters of the best evaluation if that is what the settings ask for. */
  async finish(optimizer: Optimizer, progress: Progress): Promise<void> {
    const { folder, model, args } = this.#of;
    if (args.loadBestModelAtEnd && progress.best) {
      const best = folder.source("best");
      await expectIntact(best);
      await readParams(best, optimizer, progress.best.step);
    }
    await this.#replace("adapter", (target) => model.savePretrained(target));
    await folder.target().write("trainer_state.json", [this.#stateText(progress)]);
    await rewriteMetrics(folder, progress.log); // the same lines, flushed
  }

  /** Replaces a subfolder, with the hashes of its files. */
  #replace(sub: string, write: (target: Target) => Promise<void>): Promise<void> {
    return this.#of.folder.replace(sub, (target) => writeHashed(target, write));
  }

  get #method(): ReadonlyMap<string, Float32Array> {
    return this.#of.model.namedState?.() ?? new Map();
  }

  #stateText(progress: Progress): Uint8Array {
    const { args, schedule } = this.#of;
    return new TextEncoder().encode(trainerState(progress, args, schedule.steps, schedule.epochsDone(progress)));
  }
}
