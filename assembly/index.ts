/**
 * The ABI: one line per kernel file and nothing else.
 *
 * Sizes: m n k r in matmuls (y [m, n] = x [m, k]·wᵀ, low rank r); T tokens, D width, H heads, V vocabulary elsewhere.
 * Pointers are byte addresses of row-major f32 unless said otherwise; `start` and `end` (exclusive) select a part of the
 * outermost output index, so that several callers can share one kernel call's work. Kernels never allocate and never check;
 * the debug build asserts.
 */
export * from "./pointwise/add";
export * from "./attention/attention";
export * from "./attention/rotary";
export * from "./norm/rms-norm";
export * from "./norm/layer-norm";
export * from "./pointwise/silu-gate";
export * from "./pointwise/gelu";
export * from "./pointwise/activation";
export * from "./pointwise/columns";
export * from "./pointwise/rows";
export * from "./pointwise/dropout";
export * from "./embed/embedding";
export * from "./loss/head";
export * from "./optim/adafactor";
export * from "./optim/adamw";
export * from "./optim/adamw-8bit";
export * from "./optim/lion";
export * from "./optim/norm";
export * from "./optim/sgd";
export * from "./linear/matmul";
export * from "./linear/matvec";
export * from "./linear/int8-quantize";
export * from "./linear/int8-matmul";
export * from "./linear/int8-matvec";
export * from "./linear/low-rank";
export * from "./linear/column-sum";
export * from "./linear/peak";
export * from "./linear/nf4";
export * from "./linear/nf4-matvec";
export * from "./linear/stream-read";
