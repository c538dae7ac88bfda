/**
 * Compares the reading of tokenizer folders with transformers, live: random folders of every kind, made for this run.
 *
 *   node test/parity/tokenizer_folders.mjs [--require] [--seed N] [--count N] [--keep]
 *
 * Needs the Python of live.mjs: LORIKEET_PYTHON, .venv, or python3. Without one it says so and succeeds, or with --require
 * fails. The table of classes is compared as well.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const { values: options } = parseArgs({
  options: {
    require: { type: "boolean", default: false },
    seed: { type: "string", default: String(randomInt(1_000_000)) },
    count: { type: "string", default: "2000" },
    keep: { type: "boolean", default: false },
  },
});

/** The first Python that has the version of transformers that the goldens are from, or null. */
function findPython() {
  const script = 'import sentencepiece, transformers, sys; sys.exit(transformers.__version__ != "4.57.6")';
  const candidates = [process.env.LORIKEET_PYTHON, join(root, ".venv/bin/python"), "python3"].filter(Boolean);
  return candidates.find((python) => spawnSync(python, ["-c", script]).status === 0) ?? null;
}

/** Runs one step; what it says is shown when it fails, since the tokenizers warn of each vocabulary with holes. */
function run(what, command, args, env = {}) {
  console.log(`--- ${what}`);
  const given = { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28, env: { ...process.env, NO_COLOR: "1", ...env } };
  const { status, stdout, stderr } = spawnSync(command, args, given);
  if (status === 0) return;
  console.error(`${stdout}\n${stderr}`.slice(-20_000));
  throw new Error(`${what}: failed (seed ${options.seed})`);
}

const python = findPython();
if (python === null) {
  console.error("SKIPPED: tokenizer folders: no Python has transformers 4.57.6 and sentencepiece");
  process.exit(options.require ? 1 : 0);
}
const folders = mkdtempSync(join(tmpdir(), "lorikeet-folders-"));
try {
  run("table of classes", python, [join(here, "make_tokenizer_classes.py"), "--check"]);
  const making = ["tokenizer_folders.py", folders, "--seed", options.seed, "--count", options.count];
  run(`${options.count} folders, seed ${options.seed}`, python, [join(here, making[0]), ...making.slice(1)]);
  const tests = [
    "test/tokenizers/convert/read-tokenizer-folder.folders.test.ts",
    "test/text/load-tokenizer.folders.test.ts",
  ];
  const env = { LORIKEET_TOKENIZER_FOLDERS: folders };
  run("compared", "npx", ["vitest", "run", "--reporter=dot", ...tests], env);
} finally {
  if (options.keep) console.log(`files: ${folders}`);
  else rmSync(folders, { recursive: true, force: true });
}
