/**
 * Whether two builds compute the same bits. The wide build is made by an experimental pass of V8, which is not trusted: a call of
 * every family of kernels, at sizes that fill vectors and at sizes that do not, has to agree with the build that is not merged.
 */

/** The kernels of a build by name. */
type Kernels = Readonly<Record<string, (...args: number[]) => unknown>>;

/** Where the header of weights in four bits has its parts: see assembly/simd/nf4-read.ts. */
export const NF4 = { offset: 12, planes: 16, map: 112 } as const;

/** Bytes of one array. */
const ARRAY = 1 << 14;
/** The first array begins here: constant tables of the kernels are below. */
const FIRST = 1 << 16;
/** Arrays by what is in them; those that kernels only write to come last. */
const kinds = ["floats", "positive", "small", "ids", "halves", "brains", "shorts", "segments", "nf4"] as const;
const places = [...kinds, "more", "a", "b", "c", "d"] as const;
const WORKSPACE = FIRST + places.length * ARRAY;

/** The pages of 64 KiB that the check needs. */
export const CHECK_PAGES = Math.ceil((WORKSPACE + (1 << 22)) / 65536);

/** The arrays at the start of each call: numbers of all sizes that a kernel may meet, none of them NaN. */
function contents(): Uint8Array {
  const bytes = new Uint8Array(places.length * ARRAY);
  let state = 1;
  const next = (most: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * most;
  };
  const fill = <T extends Float32Array | Int32Array | Uint16Array>(
    name: (typeof places)[number],
    view: T,
    make: () => number,
  ) => {
    for (let i = 0; i < view.length; i++) view[i] = make();
    bytes.set(new Uint8Array(view.buffer), places.indexOf(name) * ARRAY);
  };
  const floats = () => new Float32Array(ARRAY / 4);
  const units = () => new Uint16Array(ARRAY / 2);
  for (const name of ["floats", "more", "a", "b", "c", "d"] as const) fill(name, floats(), () => next(4) - 2);
  fill("positive", floats(), () => 0.5 + next(1));
  fill("small", floats(), () => next(0.1));
  fill("ids", new Int32Array(ARRAY / 4), () => Math.floor(next(8)));
  fill("halves", units(), () => (next(2) < 1 ? 0x8000 : 0) | (0x3400 + Math.floor(next(0x800))));
  fill("brains", units(), () => (next(2) < 1 ? 0x8000 : 0) | (0x3f00 + Math.floor(next(0x80))));
  fill("shorts", units(), () => Math.floor(next(16384)));
  const segments = new Int32Array(ARRAY / 4);
  segments.set([0, 21, 0, 21, 21, 38, 21, 38]);
  fill(
    "segments",
    segments,
    (
      (i) => () =>
        segments[i++]!
    )(0),
  );
  bytes.set(fourBits(next), places.indexOf("nf4") * ARRAY);
  return bytes;
}

/** Weights in four bits: the header of assembly/simd/nf4-read.ts, one scale for all, and random codes behind it. */
function fourBits(next: (most: number) => number): Uint8Array {
  const bytes = new Uint8Array(ARRAY).map(() => next(256));
  const view = new DataView(bytes.buffer);
  const [header, scales, codes] = [NF4.map + 1024, 256, 16];
  const first = FIRST + places.indexOf("nf4") * ARRAY;
  [first + header + scales, first + header, first + header + scales - codes].forEach((at, i) => {
    view.setUint32(4 * i, at, true);
  });
  view.setFloat32(header + scales - codes, 0.5, true);
  view.setFloat32(NF4.offset, 0.25, true);
  const levels = new Uint8Array(new Float32Array(16).map((_, i) => i / 8 - 1).buffer);
  levels.forEach((byte, i) => {
    bytes[NF4.planes + 16 * (i % 4) + (i >> 2)] = byte;
  });
  for (let i = 0; i < 256; i++) view.setFloat32(NF4.map + 4 * i, i / 256, true);
  return bytes;
}

/** A call of every family of kernels, with arrays by name. Sizes are full vectors, full pairs of them, and a rest. */
const CALLS = `
matmul_f32 a floats more 13 35 37 37 35 35 0 more small positive 3 3 35 0.5 workspace 0 13 0 35
matmul_f32 a floats more 13 35 37 37 37 35 1 more small positive 3 3 3 0.5 workspace 0 13 0 35
matmul_f32 a floats more 13 35 37 37 35 35 8 more small positive 3 3 35 0.5 workspace 0 13 0 35
matmul_f32 a floats more 13 35 37 37 37 35 9 more small positive 3 3 3 0.5 workspace 0 13 0 35
matmul_f16 a floats halves 13 35 37 37 35 35 0 more small positive 3 3 35 0.5 workspace 0 13 0 35
matmul_bf16 a floats brains 13 35 37 37 35 35 0 more small positive 3 3 35 0.5 workspace 0 13 0 35
matvec_rows a floats more 0 0 3 35 37 37 35 16 workspace 0 3
matvec_sum_f32 a floats 3 35 4 0.5 37 0 more 0 35
matvec_rows a floats halves 0 2 3 35 37 37 35 16 workspace 0 3
matvec_rows a floats brains 0 1 3 35 37 37 35 16 workspace 0 3
matmul_int8 a shorts small floats positive 13 35 40 40 35 35 0 more workspace 0 13 0 35
matvec_int8_rows a shorts floats 3 35 40 40 35 0 4
matvec_int8_sum a floats small positive 3 35 40 35 0 more 0 35
low_rank_f32 a floats more 13 37 9 37 9 0 0 13
low_rank_f32_da a floats more 13 37 9 0.5 0 9 37 0 37
matmul_f16 a floats halves 13 35 37 37 37 35 1 more small positive 3 3 3 0.5 workspace 0 13 0 35
matmul_bf16 a floats brains 13 35 37 37 37 35 1 more small positive 3 3 3 0.5 workspace 0 13 0 35
matvec_f32 a floats more 3 35 37 37 37 35 1 more small positive 3 3 3 0.5 0 35
matvec_f16 a floats halves 3 35 37 37 37 35 1 more small positive 3 3 3 0.5 0 35
matvec_bf16 a floats brains 3 35 37 37 37 35 1 more small positive 3 3 3 0.5 0 35
matmul_int8 a shorts small floats positive 13 35 40 40 40 35 1 more workspace 0 13 0 35
matvec_int8 a shorts small floats positive 3 35 40 40 40 35 1 more workspace 0 35
low_rank_f32 a floats more 13 37 9 37 37 1 0 13
low_rank_f32_da a floats more 13 37 9 0.5 1 9 37 0 37
matmul_nf4 a floats nf4 0 13 48 40 40 48 48 0 0 0 0 0 0 0 0 workspace 0 13 0 48
matvec_rows a floats nf4 0 4 3 48 40 40 48 16 workspace 0 3
matmul_nf4 a floats nf4 0 13 48 40 40 40 48 1 0 0 0 0 0 0 0 workspace 0 13 0 48
matvec_nf4_i16 a shorts small nf4 0 3 48 40 40 48 1 0 0 48
embedding_nf4 a nf4 ids 40 0 9
attention_f32 a b floats more positive 2 2 16 32 32 32 32 segments 0.2 1 0 0 0 0 workspace 0 4
attention_f32_d c d small 0 floats floats more positive a b 2 2 16 32 32 32 32 32 32 32 32 segments 0.2 1 0 0 0 0 workspace 0 4
attention_f32 a b floats more positive 2 2 24 48 48 48 48 segments 0.2 0 0 0 0 0 workspace 0 4
attention_f32_d c d small 0 floats floats more positive a b 2 2 24 48 48 48 48 48 48 48 48 segments 0.2 0 0 0 0 0 workspace 0 4
batched_matmul_f32 a floats more 64 64 64 8 8 8 8 8 8 0 workspace 0 3
rotary_f32 a ids floats more 3 24 20 72 -1 0 9
embedding_f16 a halves ids 37 37 0 9
embedding_f32_dtable a floats ids 9 37 0 37
column_sum_f32 a floats 13 37 37 0 37
quantize_rows_i16 a b floats positive 37 37 40 16384 0 13
quantize_rows_i16 a b floats 0 37 37 40 16384 0 13
quantize_int8 a b floats 13 37 37 0 13
quantize_nf4 a b floats 200 0 4
head_chunk_f32 a b positive c d ids 0 37 37 0 13
scale_rows_f32 a floats 37 0 13
head_loss_f32 a b floats positive more 0 43
head_dx_f32 a floats positive more small 37 0 13
softmax_dlogits_f32 a positive ids small 0 37 37 0 13
layer_norm_f32 a b c floats more positive 37 0.00001 0 13
layer_norm_f32_dx a floats more positive small positive 37 0 13
layer_norm_f32_dw a b floats more small positive 13 37 0 37
rms_norm_f32 a b floats more 37 0.00001 0 13
rms_norm_f32_dx a floats more positive positive 37 0 13
rms_norm_f32_dw a floats more positive 13 37 0 37
adafactor_rows_f32 a floats 37 1 1e-30 0.9 0 5
adamw_f32 a floats more positive 1 0.001 0.9 0.999 1e-8 0.01 0.1 0.001 0 43
adamw_8bit a floats b c positive small more 100 64 1 0.001 0.9 0.999 1e-8 0.01 0.1 0.001 workspace 0 2
lion_f32 a floats more 1 0.001 0.9 0.99 0.01 0 43
sgd_f32 a floats more 1 0.001 0.9 1 0.01 true 0 43
sum_squares_f32 floats 0 43
relu_f32 a floats 0 43
relu_f32_dx b more floats 0 43
tanh_f32 a floats 0 43
tanh_f32_dx b more floats 0 43
sigmoid_f32 a floats 0 43
sigmoid_f32_dx b more floats 0 43
silu_f32 a floats 0 43
silu_f32_dx b more floats 0 43
gelu_tanh_f32 a floats 0 43
gelu_tanh_f32_dx b more floats 0 43
gelu_erf_f32 a floats 0 43
gelu_erf_f32_dx b more floats 0 43
leaky_relu_f32 a floats 0.1 0 43
gelu_gate_f32 a floats more 0 43
gelu_gate_f32_d a b positive floats more 0 43
silu_gate_f32 a floats more 0 43
silu_gate_f32_d a b positive floats more 0 43
add_f32 a floats more 0 43
axpy_f32 a floats 0.3 0 43
mul_f32 a floats more 0 43
mul_f32_da a floats more 0 43
scale_f32 a 0.3 0 43
scale_columns_f32 a floats more 37 0 13
scale_columns_f32_dc a floats more 13 37 0 37
dropout_f32 a floats 0.3 1 2 3 1 43
add_rows_f32 a floats 37 37 40 0 13
`;

/** A build under test: its kernels, and the memory of CHECK_PAGES in which they compute. */
export interface BuildAtWork {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
}

/** The name of the first kernel whose results differ, or null. */
export function firstDifference(one: BuildAtWork, other: BuildAtWork): string | null {
  const start = contents();
  const at = new Map<string, number>(places.map((name, i) => [name, FIRST + i * ARRAY]));
  at.set("workspace", WORKSPACE).set("true", 1);
  const arrays = [one, other].map(({ memory }) => new Uint8Array(memory.buffer, FIRST, start.length));
  const words = arrays.map((bytes) => new BigInt64Array(bytes.buffer, FIRST, start.length / 8));
  for (const line of CALLS.trim().split("\n")) {
    const [name, ...written] = line.split(" ");
    const args = written.map((word) => at.get(word) ?? Number(word));
    const results = [one, other].map(({ kernels }, i) => {
      arrays[i]!.set(start);
      return kernels[name!]!(...args);
    });
    if (results[0] !== results[1] || words[0]!.some((word, i) => word !== words[1]![i])) return name!;
  }
  return null;
}
