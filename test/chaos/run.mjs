/**
 * Lets runs be killed, cut off, refused and damaged, and resumes them: each must end with the bits of a run that was left
 * alone, or be refused by name.
 *
 *   npm run chaos                every call, hundreds of kills
 *   npm run chaos -- --short     a sample of each campaign, for every change
 *   npm run chaos -- --seed 7    other random numbers
 *
 * Prints a table and writes build/reliability/chaos.json. Ends with an error if any case failed.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { damaged } from "./damage-campaigns.mjs";
import { cuts, refusals } from "./disk-campaigns.mjs";
import { install, withPlan } from "./faults.mjs";
import { Ledger } from "./ledger.mjs";
import { kills, pairs, signals } from "./process-campaigns.mjs";
import { resultOf, train } from "./trainee.mjs";

const { values: flags } = parseArgs({
  options: { short: { type: "boolean" }, seed: { type: "string", default: "1" } },
});
const size = flags.short
  ? { stride: 29, perFile: 6, kills: 4, pairs: 2, signals: 1 }
  : { stride: 1, perFile: 64, kills: 500, pairs: 60, signals: 20 };

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

install();
const began = performance.now();
const work = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lorikeet-chaos-"));
const ledger = new Ledger();
try {
  const straight = join(work, "straight");
  await withPlan({ flush: false }, () => train(straight));
  const shared = { work, expected: resultOf(straight), random: randomOf(Number(flags.seed)), ...size };
  await cuts(ledger, shared);
  await refusals(ledger, shared);
  await damaged(ledger, shared);
  await kills(ledger, { ...shared, count: size.kills });
  await pairs(ledger, { ...shared, count: size.pairs });
  await signals(ledger, { ...shared, count: size.signals });
} finally {
  rmSync(work, { recursive: true, force: true });
}
ledger.print((performance.now() - began) / 1000);
ledger.write(fileURLToPath(new URL("../../build/reliability/chaos.json", import.meta.url)));
if (ledger.failures > 0) process.exitCode = 1;
