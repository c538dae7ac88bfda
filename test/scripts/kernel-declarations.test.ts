import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import * as constants from "../../src/wasm/generated/constants.ts";
import { splits } from "../../src/wasm/generated/kernels.ts";
import {
  declaredKernels,
  expectKernels,
  hostConstants,
  type Kernel,
  kernelFiles,
  kernelSources,
  splitsOf,
} from "./scripts.ts";

const sources = kernelSources();

/** The kernels' splits once a text of one file was replaced by another. */
function splitsWith(file: string, text: string | RegExp, by: string): Record<string, object> {
  const changed = sources[file]!.replace(text, by);
  expect(changed, `${text} in ${file}`).not.toBe(sources[file]);
  return splitsOf(declaredKernels({ ...sources, [file]: changed }));
}

test("the table that is built is what the files declare", () => {
  expect(splitsOf(declaredKernels(sources))).toEqual(splits);
  expect(hostConstants(sources)).toEqual({ ...constants });
});

/** Everything that a declaration names can be renamed in the signature alone. */
test("renaming any argument that a declaration needs is an error that names the kernel, never another schedule", () => {
  let renamed = 0;
  for (const kernel of declaredKernels(sources)) {
    const needed = neededBy(kernel.name);
    for (const { name } of kernel.parameters.filter((parameter) => needed.includes(parameter.name))) {
      const file = sources[kernel.file]!;
      const from = file.indexOf(`export function ${kernel.name}(`);
      const to = file.indexOf("{", from);
      const signature = file.slice(from, to);
      const other = signature.replace(new RegExp(`\\b${name}:`), "renamed:");
      expect(other).not.toBe(signature);
      const changed = { ...sources, [kernel.file]: file.slice(0, from) + other + file.slice(to) };
      expect(() => splitsOf(declaredKernels(changed)), `${kernel.name} ${name}`).toThrow(`kernel ${kernel.name} (`);
      renamed++;
    }
  }
  expect(renamed).toBeGreaterThan(200);
});

/** Names that the declaration of a kernel holds: sizes, the range, the workspace and what its size depends on. */
function neededBy(name: string): string[] {
  const split = splits[name];
  if (split === undefined) return [];
  const { parameters } = declaredKernels(sources).find((kernel) => kernel.name === name)!;
  const places = [...split.sizes, ...(split.workspace ? [split.workspace.at, ...split.workspace.given] : [])];
  const range = parameters.slice(split.tile ? -4 : -2).map((parameter) => parameter.name);
  return [...new Set([...places.map((place) => parameters[place]!.name), ...range])];
}

const rows = "export function f(x: usize, cols: i32, start: i32, end: i32): void {}";
const tiles =
  "export function f(k: i32, workspace: usize, rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32): void {}";
const workspace = "export function f_workspace(k: i32): i32 { return k; }";

test.each([
  ["no tag", rows, /kernel f \(a\/f\.ts\): expected @split items, columns, tiles or never, found no such tag/],
  ["a kind that is not known", `/** @split rows of cols */ ${rows}`, /@split rows is not known/],
  [
    "a size that is no argument",
    `/** @split items of width */ ${rows}`,
    /@split names "width", which is none of its arg/,
  ],
  ["a sum of sizes", `/** @split items of cols + x */ ${rows}`, /@split items takes sizes joined by \*/],
  [
    "another range",
    `/** @split columns */ ${rows}`,
    /@split columns needs colStart, colEnd as its last arguments, which/,
  ],
  [
    "a result",
    `/** @split items */ ${rows.replace("): void", "): f64")}`,
    /it returns a result, which threads cannot share/,
  ],
  [
    "a workspace that nothing states",
    `/** @split tiles of k */ ${tiles}`,
    /@workspace must name the kernel that states/,
  ],
  ["another kernel", `/** @split tiles of k\n@workspace g() */ ${tiles}`, /@workspace g\(\): there is no kernel g/],
  [
    "other arguments for it",
    `/** @split tiles of k\n@workspace f_workspace() */ ${tiles} ${workspace}`,
    /@workspace f_workspace\(\): f_workspace takes \(k\)/,
  ],
  [
    "a workspace that it does not take",
    `/** @split items\n@workspace g() */ ${rows}`,
    /it has no argument "workspace"/,
  ],
  ["a tag that is not known", `/** @spilt items */ ${rows}`, /the tag @spilt is not known/],
  ["a tag twice", `/** @split items\n@split never */ ${rows}`, /the tag @split occurs twice/],
  [
    "a type that JavaScript lacks",
    `/** @split items */ ${rows.replace("usize", "v128")}`,
    /argument x is v128, expected/,
  ],
])("%s is refused by name", (_, text, message) => {
  expect(() => splitsOf(declaredKernels({ "a/f.ts": text }))).toThrow(message);
});

test("items, columns, tiles and never become what threads need to know", () => {
  const split = (text: string) => splitsOf(declaredKernels({ "a/f.ts": text }));
  expect(split(`/** @split items of cols * x */ ${rows}`)).toEqual({ f: { tile: false, sizes: [1, 0] } });
  expect(split(`/** @split never: it is short */ ${rows}`)).toEqual({});
  expect(split(`/** @split columns */ ${rows.replace("start", "colStart").replace("end", "colEnd")}`)).toEqual({
    f: { tile: false, whole: true, sizes: [] },
  });
  expect(split(`/** @split tiles of k\n * @workspace f_workspace(k) */ ${tiles} ${workspace}`)).toEqual({
    f: { tile: true, sizes: [0], workspace: { at: 1, of: "f_workspace", given: [0] } },
  });
});

test("a kernel's file is one that no other imports; what one imports is there", () => {
  const files = {
    "a/f.ts": `import { g } from "./g"; ${rows}`,
    "a/g.ts": "export function g(x: v128): v128 { return x; }",
  };
  expect(kernelFiles(files)).toEqual(["a/f.ts"]);
  expect(() => kernelFiles({ "a/f.ts": files["a/f.ts"] })).toThrow('a/f.ts imports "./g", and there is no a/g.ts');
  expect(kernelFiles(sources)).toContain("linear/matmul.ts");
  expect(kernelFiles(sources)).not.toContain("linear/tile.ts");
});

test("a changed declaration changes the table", () => {
  const file = "pointwise/columns.ts";
  expect(splitsWith(file, "@split items of cols", "@split items").scale_columns_f32).toEqual({
    tile: false,
    sizes: [],
  });
});

test("line ends of another platform declare the same", () => {
  const windows = Object.entries(sources).map(([file, text]) => [file, text.replaceAll("\n", "\r\n")]);
  const found = declaredKernels(Object.fromEntries(windows));
  expect(splitsOf(found)).toEqual(splits);
});

test.each([
  ["/** @host x */ const A: i32 = 1;", /expected @host NAME, found "x"/],
  ["/** @host A */ const A: i32 = 2 * 3;", /@host A must be a numeric literal, found 2 \* 3/],
  ["/** @host A */ const A: i32 = 1;\n/** @host A */ const B: i32 = 2;", /@host A occurs twice/],
])("a constant %s is refused", (text, message) => {
  expect(() => hostConstants({ "a/f.ts": text })).toThrow(message);
});

test("compiled kernels that are not the declared ones are refused", () => {
  const wasm = readFileSync(fileURLToPath(new URL("../../build/baseline.wasm", import.meta.url)));
  const kernels: Kernel[] = declaredKernels(sources);
  expectKernels(wasm, kernels);
  expect(() => expectKernels(wasm, kernels.slice(1))).toThrow(`${kernels[0]!.name}/`);
  const more = kernels.map((kernel) => ({
    ...kernel,
    parameters: [...kernel.parameters, { name: "x", type: "number" }],
  }));
  expect(() => expectKernels(wasm, more)).toThrow("the compiled kernels are not those that assembly/ declares");
});
