/** Paths that are something else than what a flag expects: said before anything is loaded, with what to type. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CONFIG_FILE } from "../../adapt/files/config-file.ts";
import { FormatError } from "../../core/errors.ts";
import { didYouMean } from "../../core/similar.ts";
import { quoted, splitPath } from "./paths.ts";

/** Throws FormatError if a path exists but does not hold a model. Other paths are names on the hub. */
export function expectModel(path: string, flag = "--model"): void {
  if (!existsSync(path) || existsSync(join(path, "config.json"))) return;
  expectNoFile(path, flag);
  const adapter = [path, join(path, "adapter")].find((folder) => existsSync(join(folder, CONFIG_FILE)));
  const whole = join(path, "adapter");
  if (adapter !== undefined) {
    const base = baseOf(adapter);
    const found = adapter === path ? "an adapter" : "a run with an adapter";
    throw new FormatError(
      `${flag} ${path} holds ${found}, expected a model: type --model ${quoted(base)} --adapter ${quoted(path)}`,
    );
  }
  if (existsSync(join(whole, "config.json")))
    throw new FormatError(`${flag} ${path} holds a run: type ${flag} ${quoted(whole)}, the model that it made`);
  throw new FormatError(`folder "${path}" has no file "config.json", expected a model folder; it has ${listed(path)}`);
}

/** Throws FormatError if a path exists but does not hold an adapter. */
export function expectAdapter(path: string, flag = "--adapter"): void {
  if (!existsSync(path)) return;
  expectNoFile(path, flag);
  const files = readdirSync(path);
  if (files.some((file) => /^adapter_(config|model)\.|^pytorch_adapter|^adapter$/.test(file))) return;
  if (files.includes("config.json") && files.some((file) => /\.(safetensors|bin)$/.test(file)))
    throw new FormatError(
      `${flag} ${path} holds a model: folder "${path}" has no file "${CONFIG_FILE}", expected the folder of an adapter or run`,
    );
  throw new FormatError(
    `folder "${path}" has no file "${CONFIG_FILE}", expected the folder of an adapter or run; it has ${listed(path)}`,
  );
}

/** Throws FormatError if a path is not a file. `flag` with `inside` is what to type for a folder that holds such files. */
export function expectFile(path: string, flag: string, inside: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) return;
    throw new FormatError(`${flag} ${path} is a folder, expected a file: type ${flag} ${quoted(join(path, inside))}`);
  }
  const [folder, file] = splitPath(path);
  if (!existsSync(folder)) throw new FormatError(`${flag} ${path}: there is no folder "${folder}"`);
  const near = didYouMean(file, readdirSync(folder));
  throw new FormatError(
    `${flag}: folder "${folder}" has no file "${file}".${near === "" ? ` It has ${listed(folder)}` : near}`,
  );
}

/** The same for data files, which may also be patterns and names on the hub. */
export function expectDataFiles(paths: readonly string[], flag: string): void {
  for (const path of paths) {
    if (!/[*?[\]{}]|:\/\//.test(path)) expectFile(path, flag, "*.jsonl");
  }
}

/** Throws FormatError if a file is where a folder is to be written. */
export function expectNoFile(path: string, flag: string): void {
  if (!existsSync(path) || statSync(path).isDirectory()) return;
  throw new FormatError(`${flag} ${path} is a file, expected a folder; its own folder is ${quoted(dirname(path))}`);
}

/** The base that an adapter names, or a stand-in. */
function baseOf(adapter: string): string {
  try {
    const { base_model_name_or_path: base } = JSON.parse(readFileSync(join(adapter, CONFIG_FILE), "utf8"));
    return typeof base === "string" && base !== "" ? base : "BASE";
  } catch {
    return "BASE"; // whoever loads the adapter reports the damage
  }
}

const MOST = 6;

function listed(folder: string): string {
  const names = readdirSync(folder);
  if (names.length === 0) return "nothing in it";
  const more = names.length > MOST ? ` and ${names.length - MOST} more` : "";
  return `${names.slice(0, MOST).join(", ")}${more}`;
}
