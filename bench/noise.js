/** The noise of the machine: what is measured between contestants that are the same. */
import { contest, missingOf } from "./contest.js";
import { ours, stepTask } from "./contestants.js";
import { UNSTABLE } from "./report.js";
import { summary } from "./statistics.js";

/** Two identical contestants on one thread, in turns; the ratio of their times should be 1. */
export async function noiseLine(rounds, log) {
  const names = ["one", "the same"];
  const task = stepTask("tiny", { batch: 1 });
  const contestants = names.map((name) => ({ ...ours(task, { build: "baseline" }), name }));
  const results = await contest(contestants, rounds, log);
  const missing = missingOf(results, ...names);
  if (missing) throw new Error(`the noise of the machine cannot be measured: ${missing}`);
  const [elapsed, processor] = ["ms", "cpuMs"].map((time) =>
    shown(summary(results[names[0]].turns.map((turn, i) => results[names[1]].turns[i][time] / turn[time]))),
  );
  return (
    `Noise: two identical contestants in ${rounds} turns differ by a factor of ${elapsed} in elapsed time, ${processor} in processor ` +
    `time, by which everything on one thread is compared. A figure is called unstable where its spread (the interquartile range of ` +
    `its samples over their median) is over ${100 * UNSTABLE} %.`
  );
}

function shown({ value, spread }) {
  return `${value.toFixed(2)} (spread ${(100 * spread).toFixed(1)} %)`;
}
