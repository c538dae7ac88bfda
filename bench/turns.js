/**
 * The protocol of a contestant: it prepares, reports that in a line of JSON, and then measures once per line of
 * standard input, answering with a line of JSON: elapsed and processor time of a step. Manually: echo | node bench/ours.js '{"shape": "tiny", ...}'
 */
import { createInterface } from "node:readline";
import { elapsedMs, processorMs } from "./measure.js";

/** What to compute, from the command line. */
export const task = () => JSON.parse(process.argv[2]);

/**
 * `step` does the work once and returns its result, a loss; it is repeated for about `slice` milliseconds a turn, at least
 * once. `facts` describes the warm contestant; `beside` measures something just before each turn.
 */
export async function takeTurns(step, { slice = 500, facts = () => ({}), beside = () => ({}) } = {}) {
  const losses = [await step()]; // warm-up: engines compile, caches fill
  const began = performance.now();
  losses.push(await step());
  const steps = Math.max(1, Math.round(slice / (performance.now() - began)));
  say({ losses, ...facts() });
  for await (const _ of createInterface({ input: process.stdin })) {
    const extra = beside();
    const [elapsed, processor] = [elapsedMs(), processorMs()];
    for (let i = 0; i < steps; i++) await step();
    const [ms, cpuMs] = [(elapsedMs() - elapsed) / steps, (processorMs() - processor) / steps];
    say({ ms, cpuMs, peakBytes: 1024 * process.resourceUsage().maxRSS, ...extra });
  }
  process.exit(); // whatever threads a library has left
}

function say(found) {
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
