/** Where a training run keeps its files, asked of the host: a folder on disk, or a map in memory. */
import type { Source, Target } from "./host.ts";

export interface RunFolder {
  /** What messages call it, such as `folder "out"`. */
  readonly name: string;
  /** Names of the files and sub-folders at the top, sorted; none when it does not exist yet. */
  list(): Promise<string[]>;
  /** The files of a sub-folder, or those at the top. */
  source(sub?: string): Source;
  /** Writes files at the top, each of them whole or not at all. */
  target(): Target;
  /** Writes a sub-folder and puts it in place of the one of that name: the old one or the new one, never half. */
  replace(sub: string, write: (target: Target) => Promise<void>): Promise<void>;
  /** Adds text to the end of a file at the top, which is made when it is not there. */
  append(file: string, text: string): Promise<void>;
  /** Removes a file or sub-folder, if it is there. */
  remove(name: string): Promise<void>;
  /** Cleans up what a killed process left, and puts back a sub-folder it had just moved aside. */
  recover(): Promise<void>;
}
