import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { openCheckpoint, readText } from "../../src/checkpoint/checkpoint.ts";
import { toFloats } from "../../src/checkpoint/floats.ts";
import { dequantized } from "../../src/checkpoint/quantized.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { mapSource, memoryTarget } from "../../src/checkpoint/source.ts";
import type { Dtype } from "../../src/core/dtype.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { openFolder } from "../../src/runtime/node.ts";
import { GOLDEN } from "../golden-files.ts";

/** What bitsandbytes made of a matrix, and a sample of what it reads it as. */
const nf4 = JSON.parse(readFileSync(`${GOLDEN}/nf4.json`, "utf8"));
const LEVELS = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const raw = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer);
const tensor = (name: string, dtype: Dtype, shape: number[], bytes: Uint8Array): TensorToWrite => {
  return { name, dtype, shape, bytes: () => bytes };
};

async function checkpointOf(tensors: TensorToWrite[]) {
  const files = new Map<string, Uint8Array>();
  await writeSafetensors(memoryTarget("m", files), "model.safetensors", tensors);
  return openCheckpoint(mapSource(files));
}

function nf4Tensors(name: string): TensorToWrite[] {
  const { codes, absmax, absmax2, map, offset, rows, cols } = nf4;
  const state = {
    ...{ quant_type: "nf4", blocksize: 64, dtype: "float32", shape: [rows, cols], nested_blocksize: 256 },
    ...{ nested_dtype: "float32", nested_offset: new Float32Array(bytesOf(offset).buffer)[0] },
  };
  const text = new TextEncoder().encode(JSON.stringify(state));
  const packed = bytesOf(codes);
  const scales = bytesOf(absmax);
  return [
    tensor(name, "U8", [packed.length, 1], packed),
    tensor(`${name}.absmax`, "U8", [scales.length], scales),
    tensor(`${name}.quant_map`, "F32", [16], raw(LEVELS)),
    tensor(`${name}.nested_absmax`, "F32", [bytesOf(absmax2).length / 4], bytesOf(absmax2)),
    tensor(`${name}.nested_quant_map`, "F32", [256], bytesOf(map)),
    tensor(`${name}.quant_state.bitsandbytes__nf4`, "U8", [text.length], text),
  ];
}

const model = { name: "config.json", dtype: "float32" };

test("nf4 with nested statistics is read as bitsandbytes reads it, bit for bit, in pieces of any size", async () => {
  const checkpoint = await checkpointOf([...nf4Tensors("a.weight"), tensor("norm.weight", "F32", [2], raw([1, 2]))]);
  const read = await dequantized(checkpoint, { quant_method: "bitsandbytes", load_in_4bit: true }, model);
  expect([...read.tensors.keys()].sort()).toEqual(["a.weight", "norm.weight"]);
  const weight = read.tensors.get("a.weight")!;
  expect(weight).toMatchObject({ shape: [nf4.rows, nf4.cols], dtype: "F32" });
  const all = toFloats("F32", await weight.read());
  const sample = new Float32Array(bytesOf(nf4.sample).buffer);
  expect(all.filter((_, i) => i % 97 === 0)).toEqual(sample);
  expect(toFloats("F32", await weight.read(4 * 333, 4 * 700))).toEqual(all.slice(333, 700));
});

test("int8 of bitsandbytes: a scale a row, out of 127", async () => {
  const codes = Uint8Array.from(Int8Array.of(127, -127, 0, 64, 1, -1), (x) => x);
  const checkpoint = await checkpointOf([
    tensor("a.weight", "I8", [2, 3], codes),
    tensor("a.SCB", "F32", [2], raw([2, 12.7])),
    tensor("a.weight_format", "U8", [], Uint8Array.of(0)),
  ]);
  const read = await dequantized(checkpoint, { load_in_8bit: true }, model);
  expect([...read.tensors.keys()]).toEqual(["a.weight"]);
  const values = toFloats("F32", await read.tensors.get("a.weight")!.read());
  [2, -2, 0, 6.4, 0.1, -0.1].forEach((expected, i) => void expect(values[i]).toBeCloseTo(expected, 5));
});

test("fp8 in blocks: every code has torch's value, times the scale of its block", async () => {
  const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const checkpoint = await checkpointOf([
    tensor("a.weight", "F8_E4M3", [4, 64], codes),
    tensor("a.weight_scale_inv", "F32", [2, 2], raw([1, 2, 1, 4])),
  ]);
  const read = await dequantized(checkpoint, { quant_method: "fp8", weight_block_size: [2, 32] }, model);
  const values = toFloats("F32", await read.tensors.get("a.weight")!.read());
  // torch.arange(256, dtype=uint8).view(float8_e4m3fn): 0x08 is 2⁻⁶, 0x38 is 1, 0x7e is 448, 0x7f NaN, 0x01 is 2⁻⁹
  expect([0x01, 0x08, 0x38, 0x7e].map((code) => values[code]! / (code % 64 < 32 ? 1 : 2))).toEqual([
    2 ** -9,
    2 ** -6,
    0.5 * 2,
    448,
  ]);
  expect(values[0x7f]).toBeNaN();
  expect(values[0xb8]).toBe(-4);
  expect(values[0x88]).toBe(-(2 ** -6));
});

test.each([
  ["GPTQ", { quant_method: "gptq", bits: 4 }],
  ["AWQ", { quant_method: "awq", bits: 4 }],
  ["MXFP4", { quant_method: "mxfp4" }],
  ["FP8", { quant_method: "fp8" }],
  ["compressed-tensors", { quant_method: "compressed-tensors" }],
  ['"newest"', { quant_method: "newest" }],
])("%s is refused by name, with the way out", async (name, quantization) => {
  const files = await golden({ quantization_config: quantization });
  const loading = AutoModelForCausalLM.fromPretrained(files);
  await expect(loading).rejects.toThrow(UnsupportedError);
  await expect(loading).rejects.toThrow(
    `the model is quantized with ${name}, which this version does not read. Use the checkpoint that it was made from`,
  );
});

async function golden(config: object): Promise<Map<string, Uint8Array>> {
  const llama = openFolder(`${GOLDEN}/models/llama`);
  const own = JSON.parse(await readText(llama, "config.json"));
  return new Map([
    ["config.json", new TextEncoder().encode(JSON.stringify({ ...own, ...config }))],
    ["model.safetensors", await llama.read("model.safetensors")],
  ]);
}

test("a whole model of int8 loads, and is written again without its quantization", async () => {
  const files = await golden({ quantization_config: { quant_method: "bitsandbytes", load_in_8bit: true } });
  const { tensors } = await openSafetensors(mapSource(files), "model.safetensors");
  const written = Array.from(tensors.values(), async (stored): Promise<TensorToWrite[]> => {
    const bytes = new Uint8Array(await stored.read());
    if (!stored.name.includes("_proj")) return [tensor(stored.name, "F32", [...stored.shape], bytes)];
    const values = new Float32Array(bytes.buffer);
    const width = stored.shape[1]!;
    const most = Array.from({ length: stored.shape[0]! }, (_, row) =>
      Math.max(...values.subarray(row * width, (row + 1) * width).map(Math.abs)),
    );
    const codes = Int8Array.from(values, (x, i) => Math.round((x / most[Math.floor(i / width)]!) * 127));
    return [
      tensor(stored.name, "I8", [...stored.shape], new Uint8Array(codes.buffer)),
      tensor(stored.name.replace(/weight$/, "SCB"), "F32", [most.length], raw(most)),
    ];
  });
  await writeSafetensors(memoryTarget("m", files), "model.safetensors", (await Promise.all(written)).flat());
  using read = await AutoModelForCausalLM.fromPretrained(files);
  using plain = await AutoModelForCausalLM.fromPretrained(`${GOLDEN}/models/llama`);
  const batch = { ids: Int32Array.of(5, 6, 7), starts: Int32Array.of(0, 3) };
  const [close, exact] = [read.forward(batch).data, plain.forward(batch).data];
  const apart = Math.hypot(...close.map((x, i) => x - exact[i]!)) / Math.hypot(...exact);
  expect(apart).toBeGreaterThan(0);
  expect(apart).toBeLessThan(0.05);
  const again = new Map<string, Uint8Array>();
  await saveModel(read, again);
  expect(new TextDecoder().decode(again.get("config.json"))).not.toContain("quantization_config");
});

describe("a pointer of Git LFS", () => {
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
  test.each(["model.safetensors", "pytorch_model.bin", "config.json"])("in the place of %s is named", async (file) => {
    const files = await golden({});
    if (file === "pytorch_model.bin") files.delete("model.safetensors");
    files.set(file, new TextEncoder().encode(pointer));
    await expect(AutoModelForCausalLM.fromPretrained(mapSource(files, "base"))).rejects.toThrow(
      `"${file}" in base is a pointer of Git LFS, not the file itself: run "git lfs install" and "git lfs pull"`,
    );
  });
});
