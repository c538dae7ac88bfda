/** The kernels as they travel inside the package: base64 in a module of its own, loaded only when that build is chosen. */
import type { Build } from "./builds.ts";

const load = {
  baseline: () => import("./generated/baseline.ts"),
  relaxed: () => import("./generated/relaxed.ts"),
} as const;

/** The flags of a memory that has a maximum and is shared. */
const SHARED = 3;

/**
 * Compiles a bundled build, for a shared memory if several threads are to use it: nothing but the import's flags differs.
 * For every host that may compile WebAssembly from bytes (all but workerd).
 */
export async function compileBundled(build: Build, shared = false): Promise<WebAssembly.Module> {
  const { wasm, memoryFlags } = await load[build]();
  const text = atob(wasm);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  if (shared) bytes[memoryFlags] = SHARED;
  return new WebAssembly.Module(bytes);
}
