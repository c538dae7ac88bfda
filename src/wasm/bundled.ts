/** The kernels as they travel inside the package: base64 in a module of its own, loaded only when that build is chosen. */
import type { Build } from "./builds.ts";

const load = {
  baseline: () => import("./generated/baseline.ts"),
  relaxed: () => import("./generated/relaxed.ts"),
} as const;

/** Compiles a bundled build. For every host that may compile WebAssembly from bytes (all but workerd). */
export async function compileBundled(build: Build): Promise<WebAssembly.Module> {
  const { wasm } = await load[build]();
  const text = atob(wasm);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return new WebAssembly.Module(bytes);
}
