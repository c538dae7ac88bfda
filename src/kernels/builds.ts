/** The builds of the kernels, and how to detect which of them this JavaScript engine can run. */

/**
 * baseline: SIMD128. relaxed: the same source with fused multiply-add. wide: relaxed, in the shape that V8 merges into vectors of 256
 * bits; on Arm, relaxed with dot products of bytes.
 */
export type Build = "baseline" | "relaxed" | "wide";

/**
 * A module with one function, `f32x4.relaxed_madd` of three constants: valid exactly where relaxed SIMD is supported.
 */
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65,
  0, 253, 15, 253, 133, 2, 11,
]);

export function relaxedSupported(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}
