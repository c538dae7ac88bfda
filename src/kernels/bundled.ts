/**
 * The kernels as they travel inside the package: compressed (zlib) and in base64, each in a module of its own that is loaded only
 * when that build is chosen. A package that is compressed once more on its way could not shrink plain base64 as far.
 */
import type { Build } from "./builds.ts";

const load = {
  baseline: () => import("./baseline.generated.ts"),
  relaxed: () => import("./relaxed.generated.ts"),
} as const;

/** The flags of a memory that has a maximum and is shared. */
const SHARED = 3;

/** Unpacks zlib's format (RFC 1950). */
export type Inflate = (packed: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;

/**
 * Compiles a bundled build, for a shared memory if several threads are to use it: nothing but the import's flags differs.
 * For every host that may compile WebAssembly from bytes (all but workerd).
 */
export async function compileBundled(
  build: Build,
  shared = false,
  inflate: Inflate = inflateStream,
): Promise<WebAssembly.Module> {
  const { wasm, memoryFlags } = await load[build]();
  const packed = Uint8Array.from(atob(wasm), (byte) => byte.charCodeAt(0));
  const bytes = await inflate(packed);
  if (shared) bytes[memoryFlags] = SHARED;
  return new WebAssembly.Module(bytes);
}

/** With what every host has. */
async function inflateStream(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
