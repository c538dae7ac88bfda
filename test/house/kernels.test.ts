import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { expect, test } from "vitest";
import { Layout } from "../../src/ops/linear/multiply.ts";
import { BLOCK, WORKSPACE } from "../../src/optim/adamw8bit.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { INT8_DEPTH, INT8_STEPS } from "../../src/wasm/generated/constants.ts";
import { FIRST_BLOCK } from "../../src/wasm/memory.ts";
import { builds } from "../kernels/bed.ts";
import { accumulate, aKm, b2Nk, bNk, fewLoads } from "../reference/matmul.ts";
import { declaredKernels, kernelSources } from "../scripts/scripts.ts";
import { filesBelow, importsOf, parse, read, root, sources } from "./source.ts";

/** Kernel names by their file's, such as "rms-norm". */
const kernels = new Map<string, string[]>();
for (const { file, name } of declaredKernels(kernelSources())) {
  const stem = file.split("/").at(-1)!.slice(0, -3);
  kernels.set(stem, [...(kernels.get(stem) ?? []), name]);
}
const names = [...kernels.values()].flat();

/** What has no part of its own somewhere, and why. */
const exceptions = {
  reference: new Map([
    ["matvec", "computes what matmul does, so it has the same reference"],
    ["matvec-rows", "computes what matmul does"],
    ["int8-matvec", "computes what int8-matmul does"],
    ["nf4-matvec", "computes what matmul does"],
    ["peak", "multiplies registers to measure the machine; its numbers mean nothing"],
  ]),
  test: new Map([
    ["simd_peak", "as above"],
    ["simd_peak_pairs", "as above"],
  ]),
  host: new Map([
    [
      "philox4x32",
      "dropout has the generator inlined; this export is there to be tested against the published vectors",
    ],
    ["simd_peak", "called by the benchmark"],
    ["simd_peak_pairs", "called by the benchmark and by the check of the wide build"],
    ["stream_read", "called by the benchmark"],
  ]),
};

const all = (folder: string, ending: string) =>
  filesBelow(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => read(`${folder}/${file}`))
    .join("\n");

/** Whether a text names a kernel: whole, as a template such as `matmul_${dtype}`, or as `${kernel}_dx` of one that it names. */
function mentions(text: string, name: string): boolean {
  if (new RegExp(`\\b${name}\\b`).test(text)) return true;
  return Array.from(text.matchAll(/`(\w*)\$\{\w+(?:\.\w+)*\}(\w*)`/g)).some(([, start, end]) => {
    if (start !== "") return new RegExp(`^${start}[a-z0-9]+${end}$`).test(name);
    return end !== "" && name.endsWith(end!) && mentions(text, name.slice(0, -end!.length));
  });
}

test.each(builds)("the %s build exports the kernels that the files declare, and nothing else", (build) => {
  const module = new WebAssembly.Module(readFileSync(join(root, `build/${build}.wasm`)));
  expect(
    WebAssembly.Module.exports(module)
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...names].sort());
  expect(WebAssembly.Module.imports(module).filter(({ kind }) => kind === "memory")).toHaveLength(1);
  expect(names.length).toBeGreaterThan(40);
});

test("every kernel file has a reference in f64 and a test", () => {
  const lacking = [...kernels.keys()].flatMap((file) => [
    ...(exceptions.reference.has(file) || existsSync(join(root, `test/reference/${file}.ts`))
      ? []
      : [`test/reference/${file}.ts`]),
    ...(file === "peak" || existsSync(join(root, `test/kernels/${file}.test.ts`))
      ? []
      : [`test/kernels/${file}.test.ts`]),
  ]);
  expect(lacking).toEqual([]);
});

test("every kernel is called in a kernel test", () => {
  const tests = all("test/kernels", ".test.ts");
  const untested = names.filter(
    (name) => !name.endsWith("_workspace") && !exceptions.test.has(name) && !mentions(tests, name),
  );
  expect(untested).toEqual([]);
});

test("every kernel is called by the host", () => {
  const host = [...sources].filter(([file]) => !/generated|^cli\//.test(file)).map(([, source]) => source.text);
  const text = host.join("\n");
  expect(names.filter((name) => !exceptions.host.has(name) && !mentions(text, name))).toEqual([]);
});

test("every op has a test that imports it", () => {
  const tested = filesBelow("test/ops").flatMap((file) =>
    importsOf(parse(`test/ops/${file}`)).map(({ specifier }) => join("test/ops", dirname(file), specifier)),
  );
  const ops = [...sources.keys()].filter((file) => file.startsWith("ops/") && file !== "ops/checks.ts");
  expect(ops.filter((file) => !tested.includes(`src/${file}`))).toEqual([]);
});

test("host and references mean the same bits by a layout, and no two bits are one", () => {
  const bits = [Layout.bTransposed, Layout.lowTransposed, Layout.aTransposed, Layout.accumulate, Layout.fewLoads];
  expect([bNk, b2Nk, aKm, accumulate, fewLoads]).toEqual(bits);
  expect(new Set<number>(bits).size).toBe(bits.length);
  for (const bit of bits) expect(Math.log2(bit) % 1).toBe(0);
});

test("the workspace that the 8-bit optimizer plans with is the one that its kernel states", async () => {
  using engine = await createEngine({ build: "baseline", threads: 1 });
  expect(engine.kernels.adamw_8bit_workspace(BLOCK)).toBe(WORKSPACE);
});

test("no sum of products of int8 overflows an i32", () => {
  expect(INT8_DEPTH * INT8_STEPS * 127).toBeLessThan(2 ** 31);
});

test.each(builds)("the constant tables of the %s build end below the first block of the host", (build) => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65535 });
  const bytes = new Uint8Array(memory.buffer).fill(170);
  const module = new WebAssembly.Module(readFileSync(join(root, `build/${build}.wasm`)));
  new WebAssembly.Instance(module, { env: { memory, abort: () => {} } });
  expect(bytes.findLastIndex((byte) => byte !== 170)).toBeLessThan(FIRST_BLOCK);
});

test("kernels import nothing of the host, and the host nothing of them", () => {
  for (const file of filesBelow("assembly").filter((f) => f.endsWith(".ts"))) {
    for (const { specifier } of importsOf(parse(`assembly/${file}`))) expect(specifier, file).toMatch(/^\.\.?\//);
  }
  const reaching = [...sources].filter(([, source]) =>
    importsOf(source).some(({ specifier }) => specifier.includes("assembly/")),
  );
  expect(reaching).toEqual([]);
});
