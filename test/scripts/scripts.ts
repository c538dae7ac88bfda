/** The scripts of the build, which are plain JavaScript, with their types. */
import type { win32 } from "node:path";

export interface Kernel {
  readonly file: string;
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
  readonly result: string;
}
type Sources = Readonly<Record<string, string>>;
type Path = typeof win32;

const load = (file: string) => import(new URL(`../../scripts/${file}`, import.meta.url).href);

export const {
  declaredKernels,
  kernelFiles,
  splitsOf,
  hostConstants,
}: {
  declaredKernels(sources: Sources): Kernel[];
  kernelFiles(sources: Sources): string[];
  splitsOf(kernels: readonly Kernel[]): Record<string, object>;
  hostConstants(sources: Sources): Record<string, number>;
} = await load("kernel-declarations.mjs");

export const {
  kernelSources,
  expectKernels,
}: {
  kernelSources(): Record<string, string>;
  expectKernels(wasm: Uint8Array, kernels: readonly Kernel[]): void;
} = await load("kernels.mjs");

export const { memoryFlags }: { memoryFlags(wasm: Uint8Array): number } = await load("wasm-memory.mjs");

export const {
  at,
  nameOf,
  filesBelow,
}: {
  at(file: string, path?: Path, folder?: string): string;
  nameOf(absolute: string, path?: Path, folder?: string): string;
  filesBelow(folder: string): string[];
} = await load("paths.mjs");
