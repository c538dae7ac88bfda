/** Watches a campaign's process from outside: the time of the processor and the memory that an input takes, and how it ends. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("child.mjs", import.meta.url));
const HANG = 2;
const EVERY = 50;
/** Garbage that earlier inputs leave. */
const SLACK = 256e6;
/** Ticks of the processor's clock in a second, as Linux counts them for programs. */
const TICKS = 100;

/**
 * Runs cases until they end or one has to be ended. Calls `heard` with each message. Resolves to what ended it: null, or
 * `{ column, index, message }`.
 */
export async function watch(task, { memory, heard }) {
  const folder = mkdtempSync(join(tmpdir(), "lorikeet-fuzz-"));
  const place = join(folder, "case");
  writeFileSync(place, Buffer.alloc(16));
  if (task.files) writeFileSync(join(folder, "files.json"), task.files);
  const only = task.files ? { path: join(folder, "files.json") } : task.only;
  const options = ["--expose-gc", "--max-old-space-size=1500"];
  const { files: _, ...rest } = task;
  const running = spawn(process.execPath, [...options, child, JSON.stringify({ ...rest, only, place })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const state = { ready: false, done: false, base: 0, doing: "", since: 0 };
  let ended = null;
  let errors = "";
  running.stderr.on("data", (text) => {
    errors = (errors + text).slice(-2000);
  });
  const lines = createInterface({ input: running.stdout });
  lines.on("line", (line) => {
    const message = JSON.parse(line);
    if (message.ready) Object.assign(state, { ready: true, base: residentOf(running.pid), since: cpuOf(running.pid) });
    if (message.done) state.done = true;
    heard(message);
  });
  const timer = setInterval(() => {
    if (!state.ready || state.done || ended !== null) return;
    const cpu = cpuOf(running.pid);
    const [index, tries] = numbersIn(place);
    const doing = `${index} ${tries}`;
    if (doing !== state.doing) Object.assign(state, { doing, since: cpu });
    const seconds = cpu - state.since;
    const taken = residentOf(running.pid) - state.base;
    if (seconds > HANG) ended = { column: "hangs", index, message: `${seconds.toFixed(1)} s of the processor` };
    else if (taken > 2 * memory + SLACK) ended = { column: "memory", index, message: `${Math.round(taken / 1e6)} MB` };
    if (ended !== null) running.kill("SIGKILL");
  }, EVERY);
  const [code, signal] = await new Promise((resolve) => running.on("close", (...how) => resolve(how)));
  clearInterval(timer);
  const [index] = numbersIn(place);
  rmSync(folder, { recursive: true, force: true });
  if (ended !== null || state.done) return ended;
  return { column: "crashes", index, message: `the process ended (${signal ?? code}): ${errors.trim().slice(-500)}` };
}

function numbersIn(place) {
  const bytes = Buffer.alloc(16);
  const file = openSync(place, "r");
  readSync(file, bytes, 0, 16, 0);
  closeSync(file);
  return [bytes.readDoubleLE(0), bytes.readDoubleLE(8)];
}

/** Seconds of the processor that a process has taken. */
function cpuOf(pid) {
  const fields = of(pid, "stat").split(") ")[1]?.split(" ") ?? [];
  return fields.length > 12 ? (Number(fields[11]) + Number(fields[12])) / TICKS : performance.now() / 1000;
}

/** Bytes of memory that a process holds; 0 where the host does not say. */
function residentOf(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(of(pid, "status"))?.[1] ?? 0) * 1024;
}

function of(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // another host, or it has just ended
  }
}
