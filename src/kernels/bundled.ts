/**
 * The kernels as shipped in the package: compressed (zlib) and base64-encoded, each in a separate module that is loaded
 * only when that build is chosen. Compressing the package would not shrink plain base64 as far.
 */

const load = {
  baseline: () => import("./baseline.generated.ts"),
  relaxed: () => import("./relaxed.generated.ts"),
} as const;

/** The flags of a memory that has a maximum and is shared. */
const SHARED = 3;

/** Unpacks zlib's format (RFC 1950). */
export type Inflate = (packed: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;

/** A build as its module has it. */
export interface PackedBuild {
  readonly wasm: string;
  readonly memoryFlags: number;
}

/** Its bytes, for shared memory if several threads use it: only the flags of the import differ. */
export async function unpackedBuild(
  { wasm, memoryFlags }: PackedBuild,
  shared: boolean,
  inflate: Inflate,
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(wasm), (byte) => byte.charCodeAt(0));
  const bytes = await inflate(packed);
  if (shared) bytes[memoryFlags] = SHARED;
  return bytes;
}

/**
 * Compiles a bundled build. For every host that can compile WebAssembly from bytes (all except workerd).
 */
export async function compileBundled(
  build: keyof typeof load,
  shared = false,
  inflate: Inflate = inflateStream,
): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await unpackedBuild(await load[build](), shared, inflate));
}

/** With what every host has. */
async function inflateStream(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
