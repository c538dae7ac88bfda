import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun } from "#host";
import { openSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { checkpointsOf } from "../../../src/train/run/choose-checkpoint.ts";

const KILLS = 6;
const root = mkdtempSync(join(tmpdir(), "lorikeet-kill-"));
const child = join(root, "child.mjs");

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("kill-child.ts", import.meta.url))],
    outfile: child,
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["source"],
    target: "node20",
    logLevel: "error",
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs the child to its end, or kills it `patience` ms after its second step. Returns the last step it told of. */
async function run(folder: string, steps: number, patience: number | null): Promise<number> {
  const training = spawn(process.execPath, [child, folder, String(steps)], { stdio: ["ignore", "pipe", "inherit"] });
  const told: number[] = [];
  let timer: NodeJS.Timeout | null = null;
  training.stdout.on("data", (text: Buffer) => {
    told.push(...text.toString().trim().split("\n").map(Number));
    if (patience !== null && told.length >= 2) timer ??= setTimeout(() => training.kill("SIGKILL"), patience);
  });
  const [code, signal] = (await once(training, "close")) as [number | null, NodeJS.Signals | null];
  if (timer) clearTimeout(timer);
  if (signal !== "SIGKILL") expect(code).toBe(0);
  return told.at(-1) ?? 0;
}

test("a process killed at any moment leaves a whole checkpoint, and resuming gives the run that was never killed", async () => {
  const killed = join(root, "killed");
  for (let kill = 0; kill < KILLS; kill++) {
    const last = await run(killed, 2000, 5 + 37 * kill);
    const folder = openRun(killed);
    await folder.recover();
    const checkpoints = await checkpointsOf(folder);
    expect(checkpoints.at(-1)).toBeGreaterThanOrEqual(last - 1);
    for (const step of checkpoints) {
      const source = folder.source(`checkpoint-${step}`);
      const { tensors } = await openSafetensors(source, "state/optimizer.safetensors");
      expect(tensors.size).toBeGreaterThan(0);
      await openSafetensors(source, "model.safetensors");
    }
  }
  const reached = (await checkpointsOf(openRun(killed))).at(-1)!;
  const steps = reached + 2;
  await run(killed, steps, null);
  const straight = join(root, "straight");
  await run(straight, steps, null);
  expect(readdirSync(killed).sort()).toEqual(readdirSync(straight).sort());
  const files = [
    "metrics.jsonl",
    "adapter/model.safetensors",
    "best/model.safetensors",
    `checkpoint-${steps}/state/optimizer.safetensors`,
  ];
  for (const file of files)
    expect(readFileSync(join(killed, file)).equals(readFileSync(join(straight, file))), file).toBe(true);
});
