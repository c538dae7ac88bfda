/** The two files that report on a run: trainer_state.json in transformers' shape, and metrics.jsonl. */
import type { RunFolder } from "../../core/host.ts";
import type { Settings } from "../arguments.ts";
import type { LogEntry, Progress } from "./progress.ts";

const METRICS = "metrics.jsonl";
const STATE = "trainer_state.json";
/**
 * Values that depend on the clock: omitted from metrics.jsonl, so that a repeated or resumed run gives the same lines.
 */
const CLOCK = /_runtime$|_per_second$/;

/** transformers' TrainerState. Numbers that are not finite become null, as JSON requires. */
export function trainerState(progress: Progress, args: Settings, steps: number, epoch: number): string {
  const { best, log, step, tokens } = progress;
  const state = {
    best_global_step: best?.step ?? null,
    best_metric: best?.metric ?? best?.loss ?? null,
    best_model_checkpoint: best ? "best" : null,
    epoch,
    eval_steps: args.evalSteps ?? steps,
    global_step: step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: log,
    logging_steps: args.loggingSteps,
    max_steps: steps,
    num_input_tokens_seen: tokens,
    num_train_epochs: Math.ceil(args.maxSteps === null ? args.numTrainEpochs : epoch),
    save_steps: args.saveSteps ?? steps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: args.perDeviceTrainBatchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** The optimizer steps of the run in a folder, as its trainer_state.json has them; null where there is none that says so. */
export async function plannedSteps(run: RunFolder): Promise<number | null> {
  const source = run.source();
  try {
    if (!(await source.has(STATE))) return null;
    const state: unknown = JSON.parse(new TextDecoder().decode(await source.read(STATE)));
    const steps = (state as { max_steps?: unknown } | null)?.max_steps;
    return Number.isSafeInteger(steps) && (steps as number) > 0 ? (steps as number) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // it only reports; checkpoints hold the state
    throw error;
  } finally {
    await source.close();
  }
}

/** Appends one report to metrics.jsonl. */
export async function appendMetrics(run: RunFolder, entry: LogEntry): Promise<void> {
  await run.append(METRICS, lineOf(entry));
}

/** Makes metrics.jsonl match `log`: reports of steps that a resumed run repeats are dropped. */
export async function rewriteMetrics(run: RunFolder, log: readonly LogEntry[]): Promise<void> {
  await run.target().write(METRICS, [new TextEncoder().encode(log.map(lineOf).join(""))]);
}

function lineOf(entry: LogEntry): string {
  const kept = Object.entries(entry).filter(([key]) => !CLOCK.test(key));
  return `${JSON.stringify(Object.fromEntries(kept))}\n`;
}
