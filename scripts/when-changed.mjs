/** Making files only when they are out of date. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { at } from "./paths.mjs";

/** Runs `make` unless the stamp says that these inputs were already built. */
export async function whenChanged(stamp, inputs, outputs, make) {
  const hash = createHash("sha256");
  for (const file of inputs) hash.update(file).update(readFileSync(at(file)));
  const digest = hash.digest("hex");
  const built = existsSync(at(stamp)) && readFileSync(at(stamp), "utf8") === digest;
  if (built && outputs.every((file) => existsSync(at(file)))) return;
  await make();
  write(stamp, digest);
}

/** Writes a file, and the folder around it; leaves one alone that has this text already. */
export function write(file, text) {
  const path = at(file);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
