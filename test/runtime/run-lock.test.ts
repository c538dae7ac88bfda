import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Target } from "../../src/core/host.ts";
import { openRun } from "../../src/runtime/node.ts";

/** How often two processes start at the same moment. */
const RACES = 12;
const programs = mkdtempSync(join(tmpdir(), "lorikeet-lock-"));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lorikeet-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (target: Target, file: string) => target.write(file, [new TextEncoder().encode("x")]);

/** The lock that this process would write, changed. */
async function leaveLock(changes: Record<string, unknown>, seconds = 0): Promise<string> {
  const release = await openRun(dir).lock(() => {});
  const file = join(dir, "run-1.lock");
  const owner = JSON.parse(readFileSync(file, "utf8"));
  await release();
  writeFileSync(file, JSON.stringify({ ...owner, ...changes }));
  const date = new Date(Date.now() - seconds * 1000);
  utimesSync(file, date, date);
  return file;
}

async function taken(): Promise<string[]> {
  const notices: string[] = [];
  const release = await openRun(dir).lock((text) => notices.push(text));
  await release();
  expect(readdirSync(dir)).toEqual([]);
  return notices;
}

test("a folder that is locked is refused with its owner, also to another part of the same process, until it is released", async () => {
  const first = openRun(join(dir, "run"));
  const release = await first.lock(() => {});
  expect(await first.list()).toEqual([]);
  await expect(openRun(join(dir, "run")).lock(() => {})).rejects.toThrow(
    new RegExp(`is in use by another run: process ${process.pid} on ${hostname()}, started 20.*Wait for its end`),
  );
  await release();
  expect(readdirSync(join(dir, "run"))).toEqual([]);
  await (await openRun(join(dir, "run")).lock(() => {}))();
});

test("the lock of a dead process is taken over with a notice, and so is one of an earlier process with this number", async () => {
  await leaveLock({ pid: 2 ** 30 });
  expect(await taken()).toEqual([
    expect.stringMatching(/took over the lock of process 1073741824 on .*without releasing it$/),
  ]);
  await leaveLock({ id: "of another process" });
  expect(await taken()).toHaveLength(1);
});

test("the lock of a living process, or of any on another machine, holds while it is renewed, and not for ever", async () => {
  for (const owner of [{ pid: process.ppid }, { host: "another machine", pid: 2 ** 30 }]) {
    const file = await leaveLock(owner, 300);
    await expect(taken()).rejects.toThrow(/sign of life 300 s ago.*delete ".*run-1.lock"/);
    rmSync(file);
    await leaveLock(owner, 3600);
    expect(await taken()).toHaveLength(1);
  }
});

test("an empty or damaged lock is one that is being written, until it is old", async () => {
  const file = join(dir, "run-1.lock");
  writeFileSync(file, "");
  const waiting = taken();
  setTimeout(() => rmSync(file), 60);
  expect(await waiting).toEqual([]);
  for (const text of ["", "{", "null", '{"pid":1.5}']) {
    writeFileSync(file, text);
    utimesSync(file, new Date(0), new Date(0));
    expect(await taken()).toEqual([expect.stringMatching(/took over the lock of a process, which ended/)]);
  }
});

test("who has lost the lock writes nothing more", async () => {
  const run = openRun(dir);
  const release = await run.lock(() => {});
  await put(run.target(), "before");
  await run
    .replace("best", async (target) => {
      await put(target, "f");
      rmSync(join(dir, "run-1.lock"));
      writeFileSync(join(dir, "run-2.lock"), JSON.stringify({ pid: process.ppid, host: "h", started: "s", id: "i" }));
    })
    .then(
      () => expect.unreachable(),
      (error) =>
        expect(error.message).toMatch(/no longer belongs to this process: another run has taken the folder over/),
    );
  await expect(put(run.target(), "after")).rejects.toThrow(/no longer belongs/);
  await expect(run.append("metrics.jsonl", "x")).rejects.toThrow(/no longer belongs/);
  await expect(run.remove("before")).rejects.toThrow(/no longer belongs/);
  await release();
  expect(readdirSync(dir).sort()).toEqual(["before", "run-2.lock"]);
});

/** Locks the folder when told, says so, and holds it until told again. */
const contender = `
  import { openRun } from ${JSON.stringify(fileURLToPath(new URL("../../src/runtime/node.ts", import.meta.url)))};
  let release = null;
  process.on("message", async (path) => {
    if (release) return process.exit(0);
    try {
      release = await openRun(path).lock(() => {});
      process.send("locked");
    } catch (error) {
      process.send(error.message);
    }
  });
  process.send("ready");
`;

beforeAll(async () => {
  await build({
    stdin: { contents: contender, resolveDir: programs },
    ...({ bundle: true, platform: "node", format: "esm", logLevel: "error" } as const),
    outfile: join(programs, "contender.mjs"),
  });
  return () => rmSync(programs, { recursive: true, force: true });
});

test("of two processes that start at the same moment one gets the lock, also over that of a dead one; exit releases it", async () => {
  const contenders = [1, 2].map(() =>
    spawn(process.execPath, [join(programs, "contender.mjs")], { stdio: ["ignore", "inherit", "inherit", "ipc"] }),
  );
  try {
    await Promise.all(contenders.map((child) => once(child, "message")));
    for (let race = 0; race < RACES; race++) {
      const folder = join(dir, `run-${race}`);
      if (race % 2 === 1) {
        await (await openRun(folder).lock(() => {}))();
        const owner = { pid: 2 ** 30, host: "gone", started: "then", id: "dead" };
        writeFileSync(join(folder, "run-1.lock"), JSON.stringify(owner));
        utimesSync(join(folder, "run-1.lock"), new Date(0), new Date(0));
      }
      const answers = contenders.map((child) => once(child, "message"));
      for (const child of contenders) child.send(folder);
      const told = (await Promise.all(answers)).map(([text]) => text as string).sort();
      expect(told.filter((text) => text === "locked")).toHaveLength(1);
      expect(told.find((text) => text !== "locked")).toMatch(/is in use by another run/);
      const winner = contenders.findIndex((_, i) => told.length === 2 && ownerOf(folder) === contenders[i]!.pid);
      expect(winner).toBeGreaterThanOrEqual(0);
      contenders[winner]!.send("end");
      await once(contenders[winner]!, "exit");
      expect(readdirSync(folder)).toEqual([]);
      contenders[winner] = spawn(process.execPath, [join(programs, "contender.mjs")], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      await once(contenders[winner]!, "message");
    }
  } finally {
    for (const child of contenders) child.kill();
  }
});

function ownerOf(folder: string): number {
  const [lock] = readdirSync(folder);
  return JSON.parse(readFileSync(join(folder, lock!), "utf8")).pid;
}
