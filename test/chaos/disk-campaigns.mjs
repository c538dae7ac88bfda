/** Power cuts, kills at each call, and disks that refuse, replayed in this process. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { variants, writeImage } from "./disk.mjs";
import { record, withPlan } from "./faults.mjs";
import { resultOf, STEPS, train } from "./trainee.mjs";

/** Ends a recorded run after each call (of every `stride`), in each way that a disk may have kept it, and resumes. */
export async function cuts(ledger, { work, expected, random, stride }) {
  const root = mkdtempSync(join(work, "recorded-"));
  const run = join(root, "deep", "run");
  const ops = await record(async (mark) => {
    await train(run, { onStep: (step) => mark(`step ${step}`) });
    mark("done");
  });
  expectLoss(ops, { work, root, expected });
  for (const variant of variants) {
    ledger.begin(variant === "killed" ? "killed at each call" : `power cut, ${variant}`);
    for (let cut = 1 + Math.floor(random() * stride); cut <= ops.length; cut += stride) {
      const to = mkdtempSync(join(work, "cut-"));
      const before = ops.slice(0, cut);
      writeImage(before, variant, random, root, to);
      const marks = before.flatMap(({ kind, name }) => (kind === "mark" ? [name] : []));
      const copy = join(to, "deep", "run");
      const name = `${variant} after call ${cut} (${ops[cut - 1].kind} ${ops[cut - 1].path ?? ops[cut - 1].to ?? ""})`;
      const refused = await ledger.case(name, async () => {
        if (marks.includes("done") && resultOf(copy) !== expected)
          ledger.fail("wrongAccepts", `${name}: "done", but the result is not there`);
        const { taken } = await resume(copy);
        const told = marks.filter((mark) => mark.startsWith("step")).length; // the checkpoint before this step was saved
        if (!marks.includes("done") && taken[0] > 0 && taken[0] < told)
          ledger.fail("wrongAccepts", `${name}: step ${taken[0]} repeated, ${told} were told`);
        if (resultOf(copy) !== expected) ledger.fail("otherBits", name);
      });
      if (refused) ledger.fail("wrongAccepts", `${name}: refused to resume`);
      rmSync(to, { recursive: true });
    }
  }
}

/** A disk that is never flushed must lose the run here: otherwise these campaigns could not fail. */
function expectLoss(ops, { work, root, expected }) {
  const to = mkdtempSync(join(work, "unflushed-"));
  const unflushed = ops.filter(({ kind }) => kind !== "sync" && kind !== "syncdir");
  mkdirSync(join(to, "deep", "run"), { recursive: true });
  writeImage(unflushed, "strict", () => 0, root, to);
  if (resultOf(join(to, "deep", "run")) === expected) throw new Error("a disk that is never flushed lost nothing");
}

const resume = (folder, options) => withPlan({ flush: false }, () => train(folder, options));

/** Lets each call (of every `stride`) fail once: the run stops with a message, and resumes to the same bits. */
export async function refusals(ledger, { work, expected, random, stride }) {
  for (const [campaign, code, only] of [
    ["full disk at each call", "ENOSPC", null],
    ["fsync of a file fails", "EIO", "sync"],
    ["fsync of a folder fails", "EIO", "syncdir"],
  ]) {
    ledger.begin(campaign);
    let calls = Number.POSITIVE_INFINITY;
    for (let failAt = 1 + Math.floor(random() * stride); failAt <= calls; failAt += stride) {
      const folder = join(mkdtempSync(join(work, "refused-")), "run");
      let reached = 0;
      const refused = await ledger.case(`${campaign} ${failAt}`, () =>
        withPlan({ flush: false, failAt, code, only }, async () => {
          const { plan } = await import("./faults.mjs");
          try {
            await train(folder);
          } finally {
            reached = plan.calls;
          }
        }),
      );
      if (reached < failAt) break;
      calls = Math.max(reached, failAt + stride);
      if (only !== null && !refused) ledger.fail("wrongAccepts", `${campaign} ${failAt}: nobody said that it failed`);
      const again = await ledger.case(`${campaign} ${failAt}, resumed`, async () => {
        await resume(folder);
        if (resultOf(folder) !== expected) ledger.fail("otherBits", `${campaign} ${failAt}`);
      });
      if (again) ledger.fail("wrongAccepts", `${campaign} ${failAt}: refused to resume`);
      rmSync(join(folder, ".."), { recursive: true });
    }
  }
}

/** A run in a folder that ends before its last step, to continue from. */
export async function partOf(work) {
  const folder = join(mkdtempSync(join(work, "part-")), "run");
  await resume(folder, { stopAfter: STEPS - 1 });
  return folder;
}

export const copyOf = (folder, work) => {
  const to = join(mkdtempSync(join(work, "copy-")), "run");
  mkdirSync(to);
  cpSync(folder, to, { recursive: true });
  return to;
};
