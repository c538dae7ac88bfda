/**
 * The ABI: one line per kernel file and nothing else.
 *
 * Sizes: m n k r in matmuls (y [m, n] = x [m, k]·wᵀ, low rank r); T tokens, D width, H heads, V vocabulary elsewhere.
 * Pointers are byte addresses of row-major f32 unless said otherwise; `start` and `end` (exclusive) select a part of the
 * outermost output index, so that several callers can share one kernel call's work. Kernels never allocate and never check;
 * the debug build asserts.
 */
export * from "./pointwise/add";
