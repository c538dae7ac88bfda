/** A run folder in memory, for hosts without a file system. */
import { mapSource, memoryTarget } from "../../checkpoint/source.ts";
import { expectArgument } from "../../core/call-options.ts";
import { StateError } from "../../core/errors.ts";
import type { RunFolder } from "../../core/host.ts";

/** `files` holds everything that was written, by path: "metrics.jsonl", "adapter/adapter_config.json". */
export interface MemoryRun extends RunFolder {
  readonly files: Map<string, Uint8Array>;
}

/**
 * Keeps what a run writes in a map.
 *
 * @example
 * const output = memoryRun();
 * await new Trainer({ model, trainDataset, outputDir: output }).train();
 * const adapter = output.source("adapter");
 */
export function memoryRun(name = "memory"): MemoryRun {
  expectArgument("memoryRun", "the name", name, typeof name === "string", "a string");
  const files = new Map<string, Uint8Array>();
  const below = (sub: string) => [...files].filter(([path]) => path.startsWith(`${sub}/`));
  const top = memoryTarget(name);
  let locked = false;
  return {
    name,
    files,
    list: async () => [...new Set([...files.keys()].map((path) => path.split("/")[0]!))].sort(),
    source(sub) {
      const found: [string, Uint8Array][] =
        sub === undefined ? [...files] : below(sub).map(([path, bytes]) => [path.slice(sub.length + 1), bytes]);
      return mapSource(new Map(found), sub === undefined ? name : `"${sub}" of ${name}`);
    },
    target: () => ({
      name,
      async write(file, chunks) {
        await top.write(file, chunks);
        files.set(file, top.files.get(file)!);
      },
    }),
    async replace(sub, write) {
      const staged = memoryTarget(`"${sub}" of ${name}`);
      await write(staged);
      for (const [path] of below(sub)) files.delete(path);
      for (const [file, bytes] of staged.files) files.set(`${sub}/${file}`, bytes);
    },
    async append(file, text) {
      const before = files.get(file) ?? new Uint8Array();
      const added = new TextEncoder().encode(text);
      const joined = new Uint8Array(before.length + added.length);
      joined.set(before);
      joined.set(added, before.length);
      files.set(file, joined);
    },
    async remove(path) {
      files.delete(path);
      for (const [each] of below(path)) files.delete(each);
    },
    recover: async () => {},
    async lock() {
      if (locked)
        throw new StateError(`${name} is in use by another run: wait for its end, or use another memoryRun()`);
      locked = true;
      return async () => {
        locked = false;
      };
    },
  };
}
