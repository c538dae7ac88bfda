/** Which checkpoint a run continues from: the one that is named, or the newest that is not damaged. */

import { compareHashes } from "../../checkpoint/file-hashes.ts";
import { openSafetensors } from "../../checkpoint/safetensors.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { RunFolder, Source } from "../../core/host.ts";
import { listProblems } from "../../core/problems.ts";
import type { RunIdentity } from "./run-identity.ts";
import { OPTIMIZER, readTrainer, STATE_FILES, TRAINER } from "./run-state.ts";

/** Steps of the checkpoints of a run, oldest first, whether damaged or not. */
export async function checkpointsOf(run: RunFolder): Promise<number[]> {
  const steps = (await run.list()).flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? []);
  return steps.map(Number).sort((a, b) => a - b);
}

/** The names of the checkpoints to try, in order. Throws StateError if the one that is named does not exist. */
async function candidates(run: RunFolder, resume: true | string): Promise<string[]> {
  const names = (await checkpointsOf(run)).map((step) => `checkpoint-${step}`).reverse();
  if (resume === true) return names;
  if (names.includes(resume)) return [resume];
  const there = names.length === 0 ? "it has no checkpoints" : `it has ${names.join(", ")}`;
  throw new StateError(`${run.name} has no checkpoint ${JSON.stringify(resume)}: ${there}`);
}

/**
 * The first candidate that `use` accepts; null if the run has no checkpoint. `use` throws FormatError for a checkpoint that
 * is damaged: the next older one is tried, and `warn` says which and why. Throws StateError if all are damaged.
 */
export async function fromCheckpoint<T>(
  run: RunFolder,
  resume: true | string,
  use: (source: Source, name: string) => Promise<T>,
  warn: (text: string) => void,
): Promise<T | null> {
  const names = await candidates(run, resume);
  const damaged: string[] = [];
  for (const name of names) {
    const source = run.source(name);
    try {
      const result = await use(source, name);
      if (damaged.length > 0) {
        const passed = listProblems(`${run.name}: passed over checkpoints that are damaged`, damaged);
        warn(`${passed}\nContinuing from ${name}: the steps after it are repeated`);
      }
      return result;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      damaged.push(`${name}: ${error.message}`);
    } finally {
      await source.close();
    }
  }
  if (damaged.length === 0) return null;
  const advice = resume === true ? "start a new run in another folder" : "resume from another checkpoint";
  throw new StateError(
    `${listProblems(`cannot resume ${run.name}: no checkpoint is whole`, damaged)}\nRestore it, or ${advice}`,
  );
}

/**
 * Throws FormatError if any file of a checkpoint is not as it was written. A checkpoint of an earlier version has no
 * hashes, which `warn` says: what can be checked without them is checked.
 */
export async function expectWhole(source: Source, warn: (text: string) => void): Promise<void> {
  const missing: string[] = [];
  for (const file of STATE_FILES) if (!(await source.has(file))) missing.push(`"${file}"`);
  if (missing.length > 0) throw new FormatError(`${source.name} lacks ${missing.join(" and ")}`);
  const report = await compareHashes(source);
  const unlisted = report === null ? [] : STATE_FILES.filter((file) => !report.intact.includes(file));
  const problems = report?.problems ?? [];
  if (problems.length > 0) throw new FormatError(problems.join("; "));
  if (unlisted.length > 0) throw new FormatError(`its hashes do not list ${unlisted.join(" and ")}`);
  if (report !== null) return;
  await openSafetensors(source, OPTIMIZER);
  warn(`${source.name} has no hashes, as earlier versions wrote it: whether its tensors are damaged cannot be checked`);
}

/**
 * What the checkpoint to continue from fixes for those who resume it; nothing where there is no checkpoint. `notice` says
 * if the run died and left its lock.
 */
export async function savedIdentity(
  run: RunFolder,
  resume: true | string,
  notice: (text: string) => void,
): Promise<RunIdentity> {
  const release = await run.lock(notice);
  try {
    await run.recover();
    const read = async (source: Source) => {
      await expectIntact(source, [TRAINER]);
      return (await readTrainer(source)).identity;
    };
    return (await fromCheckpoint(run, resume, read, () => {})) ?? {};
  } finally {
    await release();
  }
}

/** Throws FormatError if one of these files, by default any, is not as it was written, where the folder has hashes. */
export async function expectIntact(source: Source, files?: readonly string[]): Promise<void> {
  const problems = (await compareHashes(source, files))?.problems ?? [];
  if (problems.length > 0) throw new FormatError(problems.join("; "));
}
