#!/usr/bin/env node
/** The command line. One file per command; `--help` describes what each prints. */
import { bench, runBench } from "./commands/bench.ts";
import { fail } from "./failure.ts";
import { program } from "./program.ts";
import { watchPipes } from "./terminal.ts";

watchPipes();
const [name, ...rest] = process.argv.slice(2);
if (name === "bench" && bench.length > 0) process.exitCode = runBench(rest);
else
  program(process.argv.slice(2))
    .then((lorikeet) => lorikeet.parseAsync())
    .catch(fail);
