/** Real processes: killed, signalled, and two in one folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultOf } from "./trainee.mjs";

const trainee = fileURLToPath(new URL("trainee.mjs", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
/** A process that takes longer hangs, in milliseconds. */
const PATIENCE = 120_000;

/** Runs a program to its end. `onOutput` receives what it has written so far, and the process. */
async function run(args, { env = {}, cwd = root, onOutput = () => {} } = {}) {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
    onOutput(stdout, child);
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const began = performance.now();
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { code, signal, stdout, stderr, hangs: performance.now() - began >= PATIENCE };
}

/** Whether a trainee ended as it may: by itself, refused by name, or killed. */
function check(ledger, name, { code, signal, stderr, hangs }) {
  if (hangs) ledger.fail("hangs", name);
  else if (signal !== "SIGKILL" && code !== 0 && code !== 1) ledger.fail("crashes", `${name}: code ${code}, ${stderr}`);
}

const fresh = (work) => join(mkdtempSync(join(work, "process-")), "run");

/** Kills at random times, and at random calls from inside, several times in each folder, which then finishes. */
export async function kills(ledger, { work, expected, random, count }) {
  ledger.begin("SIGKILL");
  for (let done = 0; done < count; ) {
    const folder = fresh(work);
    for (const kills = Math.min(count, done + 4); done < kills; done++) {
      const atCall = 1 + Math.floor(random() * 150);
      const inside = random() < 0.5;
      const wait = random() * 120;
      let timer = null;
      const killed = await run([trainee, folder], {
        env: inside ? { CHAOS_KILL_AT: String(atCall) } : {},
        onOutput: (_, child) => {
          if (!inside) timer ??= setTimeout(() => child.kill("SIGKILL"), wait);
        },
      });
      clearTimeout(timer);
      await ledger.case(`kill ${done}`, async () => check(ledger, `kill ${done}`, killed));
    }
    const last = await run([trainee, folder]);
    check(ledger, "the run after the kills", last);
    if (last.code !== 0) ledger.fail("wrongAccepts", `after kills: ${last.stderr}`);
    else if (resultOf(folder) !== expected) ledger.fail("otherBits", "after kills");
    rmSync(join(folder, ".."), { recursive: true });
  }
}

/** Two processes in one folder at once, every other time with the lock of a dead one: one trains, the other is refused or comes later. */
export async function pairs(ledger, { work, expected, count }) {
  ledger.begin("two processes");
  for (let i = 0; i < count; i++) {
    const folder = fresh(work);
    if (i % 2 === 1) leaveLock(folder);
    const both = await Promise.all([run([trainee, folder]), run([trainee, folder])]);
    await ledger.case(`pair ${i}`, async () => {
      for (const one of both) check(ledger, `pair ${i}`, one);
      const refused = both.filter(({ code }) => code === 1);
      if (refused.length === 2) ledger.fail("wrongAccepts", `pair ${i}: both were refused: ${refused[0].stderr}`);
      for (const { stderr } of refused)
        if (!/is in use by another run/.test(stderr)) ledger.fail("wrongAccepts", `pair ${i}: ${stderr}`);
      if (resultOf(folder) !== expected) ledger.fail("otherBits", `pair ${i}`);
    });
    rmSync(join(folder, ".."), { recursive: true });
  }
}

function leaveLock(folder) {
  mkdirSync(folder);
  const owner = { pid: 2 ** 30, host: hostname(), started: new Date(0).toISOString(), id: "of a dead process" };
  const line = JSON.stringify({ ...owner, host: hostOf() });
  writeFileSync(join(folder, "run-1.lock"), `${line}\n`);
}

/** As run-lock.ts names this machine. */
function hostOf() {
  const space = "/proc/self/ns/pid";
  return existsSync(space) ? `${hostname()} ${readlinkSync(space)}` : hostname();
}

/** The command line, stopped by a signal at a random step and resumed, against one that was not. */
export async function signals(ledger, { work, random, count }) {
  ledger.begin("Ctrl-C and SIGTERM");
  const main = join(root, "dist/cli/main.js");
  const train = (folder, ...more) => [
    ...[main, "train", "--model", "examples/pocket", "--data", "examples/sonnets/train.jsonl", "--output", folder],
    ...[
      "--batch-size",
      "1",
      "--steps",
      "6",
      "--r",
      "2",
      "--max-length",
      "24",
      "--logging-steps",
      "1",
      "--threads",
      "1",
    ],
    ...["--log-format", "plain", ...more],
  ];
  const straight = fresh(work);
  await run(train(straight));
  const adapter = (folder) => readFileSync(join(folder, "adapter/adapter_model.safetensors"), "latin1");
  for (let i = 0; i < count; i++) {
    const folder = fresh(work);
    const signal = i % 2 === 0 ? "SIGINT" : "SIGTERM";
    const at = new RegExp(`^step ${1 + Math.floor(random() * 4)}/`, "m");
    let sent = false;
    const stopped = await run(train(folder), {
      onOutput: (stdout, child) => {
        if (!sent && at.test(stdout)) sent = child.kill(signal);
      },
    });
    await ledger.case(`${signal} ${i}`, async () => {
      const expectedCode = signal === "SIGINT" ? 130 : 143;
      if (![expectedCode, 0].includes(stopped.code))
        ledger.fail("crashes", `${signal}: code ${stopped.code}, ${stopped.stderr}`);
    });
    const again = await run(train(folder, "--resume"));
    if (again.code !== 0 || again.stderr !== "")
      ledger.fail("wrongAccepts", `${signal}, resumed: code ${again.code}, ${again.stderr}`);
    else if (adapter(folder) !== adapter(straight)) ledger.fail("otherBits", signal);
    rmSync(join(folder, ".."), { recursive: true });
  }
}
