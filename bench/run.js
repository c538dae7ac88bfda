/** Runs every benchmark of bench/kernels, each in a process of its own; arguments are handed on. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("kernels/", import.meta.url);
for (const file of readdirSync(folder).filter((name) => name.endsWith(".bench.js"))) {
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(file, folder)), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
