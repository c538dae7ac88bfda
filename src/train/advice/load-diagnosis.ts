import type { Finding, FinishedRun } from "./diagnosis.ts";

/**
 * What a finished run says about its settings: nothing where it learned. Its code is loaded with the first call.
 *
 * @example
 * const result = await trainer.train();
 * const findings = await diagnoseRun({ result, args: trainer.args, examples: trainDataset.length });
 * for (const { message } of findings) console.warn(message);
 */
export async function diagnoseRun(run: FinishedRun): Promise<Finding[]> {
  const diagnosis = await import("./diagnosis.ts");
  return diagnosis.diagnoseRun(run);
}
