/** lorikeet bench: the benchmark and this command exist only in a clone of the repository, not in the package. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";

const file = fileURLToPath(new URL("../../../bench/command.js", import.meta.url));

/** The command as `lorikeet --help` lists it, or nothing if there is no benchmark. */
export const bench: readonly Command[] = existsSync(file)
  ? [new Command("bench").description("Measure speed on this machine.")]
  : [];

/** Runs the benchmark with these arguments, in a process that loads nothing else. Returns its exit code. */
export function runBench(words: readonly string[]): number {
  return spawnSync(process.execPath, [...process.execArgv, file, ...words], { stdio: "inherit" }).status ?? 1;
}
