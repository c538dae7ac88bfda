/** lorikeet bench: the benchmark is part of a clone of the repository, not of the package, and so is this command. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";

const file = fileURLToPath(new URL("../../../bench/command.js", import.meta.url));

/** The command as `lorikeet --help` lists it, or nothing where there is no benchmark. */
export const bench: readonly Command[] = existsSync(file)
  ? [new Command("bench").description("Measure speed on this machine.")]
  : [];

/** Runs the benchmark with these words, in a process that loads nothing else. Returns its exit code. */
export function runBench(words: readonly string[]): number {
  return spawnSync(process.execPath, [...process.execArgv, file, ...words], { stdio: "inherit" }).status ?? 1;
}
