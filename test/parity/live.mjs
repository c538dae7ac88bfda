/**
 * Compares Lorikeet with torch, transformers and PEFT, live: fresh random models, adapters and data, both ways.
 *
 *   node test/parity/live.mjs [--require] [--seed N] [--keep]
 *
 * Needs the built package and a Python with the packages of requirements.txt: LORIKEET_PYTHON, .venv, or python3. Without
 * one it says so and succeeds, or with --require fails. --seed repeats a run; --keep leaves its files for looking at.
 *
 *   golden      the golden tests, on goldens made for this run
 *   from PEFT   adapters that PEFT wrote are loaded, run and trained on here
 *   to PEFT     adapters trained here are loaded, run and saved again by PEFT, every warning an error
 *   train, predict, eval, merge, generate     the command line against the same done in Python
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const pretrained = join(root, "../shared/models/stories260K");
/** Tests that read goldens which are made anew for a live run: those that are named so. */
const goldenTests = readdirSync(join(root, "test"), { recursive: true })
  .filter((file) => file.endsWith(".goldens.test.ts"))
  .map((file) => `test/${file.replaceAll("\\", "/")}`);
/** And those of AdapterHub's library, which needs another transformers and so a Python of its own. */
const hubTests = ["test/methods/bottleneck.goldens.test.ts"];
// Node 20 knows relaxed SIMD only behind this flag; later versions accept and ignore it.
const nodeFlags = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];

const { values: options } = parseArgs({
  options: {
    require: { type: "boolean", default: false },
    seed: { type: "string", default: String(randomInt(1_000_000)) },
    keep: { type: "boolean", default: false },
  },
});

// ---- Python

/** What keeps a Python from being used, or null. */
function unfit(python) {
  const pins = readFileSync(join(here, "requirements.txt"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("=="));
  const script = "import sys, importlib.metadata as m; [print(m.version(name)) for name in sys.argv[1:]]";
  const { status, stdout, error } = spawnSync(python, ["-c", script, ...pins.map(([name]) => name)], {
    encoding: "utf8",
  });
  if (error) return "not there";
  const found = stdout.split("\n").map((version) => version.split("+")[0]);
  const wrong = pins.flatMap(([name, pin], i) =>
    found[i] === pin ? [] : `${name} ${found[i] || "missing"}, expected ${pin}`,
  );
  return status === 0 && wrong.length === 0 ? null : wrong[0];
}

/** The Python to compare with. Ends the program when there is none. */
function findPython() {
  const candidates = [process.env.LORIKEET_PYTHON, join(root, ".venv/bin/python"), "python3"].filter(Boolean);
  const reasons = [];
  for (const python of candidates) {
    const reason = unfit(python);
    if (reason === null) return python;
    reasons.push(`  ${python}: ${reason}`);
  }
  const line = "#".repeat(100);
  const advice = "  python3 -m venv .venv && .venv/bin/pip install -r test/parity/requirements.txt";
  console.error(`${line}\nSKIPPED: live comparison with PyTorch, transformers and PEFT: no Python has them`);
  console.error(`${reasons.join("\n")}\nTo install them:\n${advice}\n${line}`);
  process.exit(options.require ? 1 : 0);
}

// ---- running

/** Runs a program, prints how long it took, and returns { status, stdout, stderr }. */
function run(what, program, args, { env = {}, cwd = root } = {}) {
  const began = performance.now();
  const settings = { encoding: "utf8", cwd, env: { ...process.env, ...env }, maxBuffer: 2 ** 28 };
  const { status, stdout, stderr, error } = spawnSync(program, args, settings);
  if (error) throw error;
  console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  return { status, stdout, stderr };
}

/** Runs a script of this folder; throws when it fails, unless a failure is what it reports. */
function runPython(python, script, args, { mayFail = false } = {}) {
  const result = run(`${script} ${basename(args[0])}`, python, [join(here, script), ...args]);
  if (result.status !== 0 && !mayFail) throw new Error(`${script} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

// ---- the comparisons: each returns rows { case, passed, logits?, travel?, note }

function goldenSuites(golden, out, tests) {
  const report = join(out, "vitest.json");
  const args = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`, ...tests];
  const { stdout, stderr } = run("golden tests", process.execPath, args, { env: { LORIKEET_GOLDEN: golden } });
  if (!existsSync(report)) return [{ case: "golden tests", passed: false, note: stdout + stderr }];
  return JSON.parse(readFileSync(report, "utf8")).testResults.map(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    const reasons = failed.map((test) => `${test.fullName}: ${test.failureMessages[0]?.split("\n")[0]}`);
    const passed = status === "passed" && assertionResults.length > 0;
    const note = passed
      ? `${assertionResults.filter((t) => t.status === "passed").length} tests`
      : [message, ...reasons];
    return { case: `golden: ${basename(name)}`, passed, note: [note].flat().join("; ") };
  });
}

function checkWritten(python, written) {
  const broken = written.filter(({ error }) => error !== undefined);
  const whole = written.filter(({ error, method }) => error === undefined && method !== "bottleneck");
  const folders = whole.map(({ folder }) => folder);
  const printed = runPython(python, "check_adapters.py", folders, { mayFail: true });
  const failed = broken.map(({ name, error }) => ({ case: `to PEFT: ${name}`, passed: false, note: error }));
  const checked = folders.map((folder) => {
    const line = printed.split("\n").find((text) => text.startsWith(`${folder} `)) ?? "";
    const [, result, said] = /^\S+\s+(ok|FAILED)\s+(.*)$/.exec(line) ?? [null, "FAILED", "was not checked"];
    const passed = result === "ok";
    return { case: `to PEFT: ${basename(folder)}`, passed, ...(passed ? { logits: Number(said) } : { note: said }) };
  });
  return [...failed, ...checked];
}

const asFlags = (given) => Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)]);

/** Does with the command line what case.json says. Returns what went wrong, or null. */
function useCommandLine(out, name) {
  const folder = join(out, "cases", name);
  const path = (file) => join(folder, file);
  const { model, build, train, data, generate } = JSON.parse(readFileSync(path("case.json"), "utf8"));
  const lorikeet = (command, args) => {
    const all = [...nodeFlags, join(root, "dist/cli/main.js"), command, "--model", join(out, "models", model)];
    const { status, stdout, stderr } = run(`lorikeet ${command}, ${name}`, process.execPath, [
      ...all,
      ...args,
      "--build",
      build,
    ]);
    if (status !== 0) throw new Error(`lorikeet ${command}: ${stderr}`);
    return stdout;
  };
  const rows = ["--data", path("rows.jsonl"), ...asFlags(data)];
  const adapter = ["--adapter", path("run/adapter")];
  const fixed = ["--no-shuffle", "--dropout", "0", "--lora-dropout", "0", "--logging-steps", "1"];
  lorikeet("train", [...rows, "--init-adapter", path("init"), "--output", path("run"), ...fixed, ...asFlags(train)]);
  lorikeet("predict", [...rows, ...adapter, "--output", path("logits.safetensors")]);
  writeFileSync(path("eval.json"), lorikeet("eval", [...rows, ...adapter, "--json"]));
  lorikeet("merge", [...adapter, "--output", path("merged")]);
  const texts = generate.map(({ adapter: adapted, ...text }) =>
    lorikeet("generate", [...(adapted ? adapter : []), ...asFlags(text), "--temperature", "0", "--json"]).trim(),
  );
  writeFileSync(path("generated.json"), `[${texts}]`);
}

function endToEnd(python, golden, out) {
  const real = existsSync(pretrained)
    ? ["--pretrained", pretrained, "--text", join(root, "examples/sonnets/train.jsonl")]
    : [];
  if (real.length === 0) console.error(`SKIPPED: the pretrained model, since ${pretrained} is not there`);
  runPython(python, "end_to_end.py", ["prepare", golden, out, "--seed", options.seed, ...real]);
  const broken = [];
  for (const name of readdirSync(join(out, "cases"))) {
    try {
      useCommandLine(out, name);
    } catch (error) {
      broken.push({ case: `command line: ${name}`, passed: false, note: error.message });
    }
  }
  const lines = runPython(python, "end_to_end.py", ["compare", out]).trim().split("\n");
  return [...broken, ...lines.map((line) => JSON.parse(line))];
}

/** The Python of AdapterHub's library, or null, said loudly. */
function findHubPython() {
  const candidates = [process.env.LORIKEET_HUB_PYTHON, join(root, ".venv-hub/bin/python")].filter(Boolean);
  const found = candidates.find((python) => spawnSync(python, ["-c", "import adapters"]).status === 0);
  if (found === undefined) {
    console.error("SKIPPED: AdapterHub's library, since no Python has it (test/parity/requirements-hub.txt)");
  }
  return found ?? null;
}

async function compareAll(python, work) {
  const { readAdapters, writeAdapters } = await import("./adapters.mjs");
  const golden = join(work, "golden");
  const made = ["--output", golden, "--seed", options.seed];
  runPython(python, "make_goldens.py", made);
  runPython(python, "make_method_goldens.py", made);
  runPython(python, "make_pipeline_goldens.py", made);
  runPython(python, "make_loss_goldens.py", made);
  const hub = findHubPython();
  if (hub !== null) runPython(hub, "make_hub_goldens.py", made);
  const rows = goldenSuites(
    golden,
    work,
    hub === null ? goldenTests.filter((test) => !hubTests.includes(test)) : goldenTests,
  );
  for await (const { method, case: name, ...row } of readAdapters(golden)) {
    rows.push({ case: `from ${method === "bottleneck" ? "AdapterHub" : "PEFT"}: ${method}, ${name}`, ...row });
  }
  const written = [];
  for await (const each of writeAdapters(golden, join(work, "written"))) written.push(each);
  rows.push(...checkWritten(python, written));
  rows.push(...endToEnd(python, golden, join(work, "end-to-end")));
  return rows;
}

// ---- the table

function printTable(rows) {
  const width = Math.max(...rows.map((row) => row.case.length));
  const percent = (share) => (share === undefined ? "" : `${(100 * share).toPrecision(2)} %`).padStart(10);
  console.log(`${"case".padEnd(width)}  ${"result"}  logits, % of  parameters, %`);
  console.log(`${"".padEnd(width)}  ${"      "}  allowance     of travel`);
  for (const { case: name, passed, logits, travel, note = "" } of rows) {
    const result = passed ? "ok    " : "FAILED";
    console.log(`${name.padEnd(width)}  ${result}  ${percent(logits)}   ${percent(travel)}     ${note}`.trimEnd());
  }
  const failed = rows.filter(({ passed }) => !passed).length;
  console.log(`seed ${options.seed}: ${rows.length - failed} of ${rows.length} agree with the reference`);
  return failed;
}

const python = findPython();
if (!existsSync(join(root, "dist/index.js"))) {
  console.error("live comparison: dist/ is not built; run npm run build first");
  process.exit(1);
}
const work = mkdtempSync(join(tmpdir(), "lorikeet-parity-"));
console.error(`seed ${options.seed}, in ${work}`);
try {
  if (printTable(await compareAll(python, work)) > 0) process.exitCode = 1;
} finally {
  if (!options.keep) rmSync(work, { recursive: true });
}
