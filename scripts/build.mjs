/**
 * Builds everything that is not committed:
 *   build/*.wasm            the kernels, one file per target of asconfig.json
 *   src/wasm/generated/     the same, compressed, as base64 modules, and the typed kernel table
 *   src/{models,methods,tasks}/index.generated.ts   the folder listings
 *   src/core/task-names.generated.ts   the names of the tasks, for what lies below them
 *   dist/                   the published package, in few files: see bundle.mjs
 *
 *   node scripts/build.mjs          what is out of date
 *   node scripts/build.mjs --kernels   kernels and listings only
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import asc from "assemblyscript/asc";
import { bundleGroups } from "./bundle.mjs";
import { writeListings } from "./listings.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

const filesUnder = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath ?? e.path, e.name))
    .sort();

/** Runs `make` unless the stamp says that these inputs were already built. */
async function whenChanged(stamp, inputs, outputs, make) {
  const hash = createHash("sha256");
  for (const file of inputs) hash.update(file).update(readFileSync(file));
  const digest = hash.digest("hex");
  if (outputs.every((o) => existsSync(o)) && existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

async function compile(target) {
  const { error, stderr } = await asc.main(["--config", "asconfig.json", "--target", target]);
  if (error) {
    process.stderr.write(stderr.toString());
    process.exit(1);
  }
}

/**
 * The kernel table's type, and how each kernel's work can be split, from the declarations asc writes for `--bindings raw`.
 * A kernel that returns nothing and ends in a range can be split.
 */
function kernelTable() {
  const text = readFileSync("build/baseline.d.ts", "utf8");
  const kernels = [...text.matchAll(/^ {2}export function ([a-z]\w*)\(([^)]*)\): (\w+);/gm)];
  if (kernels.length === 0) throw new Error("build/baseline.d.ts declares no kernels: has asc changed its format?");
  const named = kernels.map(([, name, args, result]) => ({
    name,
    result,
    parameters: args.split(", ").map((arg) => arg.split(":")[0]),
  }));
  const workspaces = named.filter(({ name }) => name.endsWith("_workspace"));
  const splits = named
    .filter(({ result, parameters }) => result === "void" && /^(end|colEnd)$/.test(parameters.at(-1)))
    .map((kernel) => `  ${kernel.name}: ${JSON.stringify(splitOf(kernel, workspaces))},`);
  return [
    "// Made by scripts/build.mjs from assembly/index.ts.",
    "export interface Kernels {",
    ...kernels.map(([, name, args, result]) => `  ${name}(${args}): ${result};`),
    "}",
    "/** How a kernel's work can be split; numbers are places among its arguments. */",
    "export interface Split {",
    "  /** Whether the range is one of rows and one of columns. */",
    "  readonly tile: boolean;",
    "  /** Whether each thread should have one piece: rows of a stored matrix are read along, and short ones slowly. */",
    "  readonly whole?: boolean;",
    "  /** One item of the range is about as large as the product of these; one element of a tile as their sum. */",
    "  readonly sizes: readonly number[];",
    "  /** Where the workspace is, the kernel that states its size, and what that is to be given. */",
    "  readonly workspace?: { readonly at: number; readonly of: string; readonly given: readonly number[] };",
    "}",
    "export const splits: Readonly<Record<string, Split>> = {",
    ...splits,
    "};",
    "",
  ].join("\n");
}

function splitOf({ name, parameters }, workspaces) {
  const tile = parameters.slice(-4).join() === "rowStart,rowEnd,colStart,colEnd";
  const columns = !tile && parameters.at(-1) === "colEnd";
  const counts = tile || columns ? INNER : SIZES;
  const sizes = parameters.flatMap((parameter, i) => (counts.test(parameter) ? [i] : []));
  const at = parameters.indexOf("workspace");
  const split = { tile, ...(columns && { whole: true }), sizes };
  if (at < 0) return split;
  // attention_workspace is that of attention_f32 and attention_f32_d: the longest name that fits.
  const fitting = workspaces.filter((w) => name.includes(w.name.slice(0, -"_workspace".length)));
  const of = fitting.sort((a, b) => b.name.length - a.name.length)[0];
  const given = of?.parameters.filter((p) => p !== "").map((p) => parameters.indexOf(p));
  if (!of || given.includes(-1)) throw new Error(`${name} takes a workspace, but no _workspace kernel states its size`);
  return { ...split, workspace: { at, of: of.name, given } };
}

/** Parameters that say how much there is to one item of a kernel's range; of a product, its inner dimensions. */
const SIZES = /^(rows|cols|width|count|headDim|ldx|ldq|strideC)$/;
const INNER = /^[kr]$/;

/** Where a module says whether the memory it imports is shared: the flags of the limits. 1: has a maximum, 3: shared too. */
function memoryFlags(wasm) {
  const name = Buffer.from("\x03env\x06memory\x02\x01", "latin1");
  const at = wasm.indexOf(name);
  if (at < 0 || at !== wasm.lastIndexOf(name)) throw new Error("the kernels do not import env.memory with a maximum");
  return at + name.length - 1;
}

async function buildWasm() {
  const targets = Object.keys(JSON.parse(readFileSync("asconfig.json", "utf8")).targets);
  const inputs = ["asconfig.json", "scripts/build.mjs", ...filesUnder("assembly")];
  const outputs = [...targets.map((t) => `build/${t}.wasm`), "src/wasm/generated/kernels.ts"];
  await whenChanged("build/wasm.stamp", inputs, outputs, async () => {
    mkdirSync("build", { recursive: true });
    mkdirSync("src/wasm/generated", { recursive: true });
    for (const target of targets) await compile(target);
    for (const target of ["baseline", "relaxed"]) {
      const wasm = readFileSync(`build/${target}.wasm`);
      const packed = deflateSync(wasm, { level: 9 });
      writeFileSync(
        `src/wasm/generated/${target}.ts`,
        `// Made by scripts/build.mjs.\nexport const memoryFlags = ${memoryFlags(wasm)};\nexport const wasm =\n  "${packed.toString("base64")}";\n`,
      );
    }
    writeFileSync("src/wasm/generated/kernels.ts", kernelTable());
  });
}

async function buildDist() {
  const scripts = ["scripts/build.mjs", "scripts/bundle.mjs", "scripts/listings.mjs"];
  const inputs = ["tsconfig.json", "tsconfig.build.json", "build/wasm.stamp", ...scripts, ...filesUnder("src")];
  await whenChanged("build/dist.stamp", inputs, ["dist/index.js"], async () => {
    // Built on the side and put in place whole, so that a program that runs meanwhile finds the old one or the new one.
    const made = `build/dist-${process.pid}`;
    const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", made];
    if (spawnSync(process.execPath, tsc, { stdio: "inherit" }).status !== 0) process.exit(1);
    await bundleGroups(made);
    for (const target of ["baseline", "relaxed"]) cpSync(`build/${target}.wasm`, `${made}/wasm/${target}.wasm`);
    chmodSync(`${made}/cli/main.js`, 0o755); // npm makes it so where the package is installed; a clone runs it from here
    rmSync("dist", { recursive: true, force: true });
    renameSync(made, "dist");
  });
}

await buildWasm();
writeListings("src");
if (!process.argv.includes("--kernels")) await buildDist();
