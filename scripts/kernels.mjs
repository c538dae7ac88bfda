/** Compiles the kernels and writes what the host needs of them. */
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import asc from "assemblyscript/asc";
import { constantsModule, kernelTable, wasmModule } from "./generated-modules.mjs";
import { declaredKernels, hostConstants, kernelFiles } from "./kernel-declarations.mjs";
import { at, filesBelow } from "./paths.mjs";
import { memoryFlags } from "./wasm-memory.mjs";
import { whenChanged, write } from "./when-changed.mjs";

/** The builds that are shipped. */
export const shipped = ["baseline", "relaxed", "wide", "dot"];

/** The kernels' source by name, such as "linear/matmul.ts". Line ends are those of the checkout, which no compiler minds. */
export function kernelSources() {
  const files = filesBelow("assembly").filter((file) => file.endsWith(".ts"));
  return Object.fromEntries(files.map((file) => [file.slice("assembly/".length), readFileSync(at(file), "utf8")]));
}

/** Makes build/*.wasm and the generated modules of the host where they are out of date. */
export async function buildKernels() {
  const targets = Object.keys(JSON.parse(readFileSync(at("asconfig.json"), "utf8")).targets);
  const tables = ["kernels", "constants"].map((name) => `src/wasm/generated/${name}.ts`);
  const modules = shipped.map((target) => `src/kernels/${target}.generated.ts`);
  const inputs = ["asconfig.json", ...filesBelow("scripts"), ...filesBelow("assembly")];
  const outputs = [...targets.map((target) => `build/${target}.wasm`), ...tables, ...modules];
  await whenChanged("build/wasm.stamp", inputs, outputs, async () => {
    const sources = kernelSources();
    const kernels = declaredKernels(sources);
    write("src/wasm/generated/kernels.ts", kernelTable(kernels));
    write("src/wasm/generated/constants.ts", constantsModule(hostConstants(sources)));
    for (const target of targets) await compile(target, kernelFiles(sources));
    expectKernels(readFileSync(at("build/baseline.wasm")), kernels); // Node 20 compiles no relaxed SIMD without a flag
    for (const target of shipped) {
      const wasm = readFileSync(at(`build/${target}.wasm`));
      write(`src/kernels/${target}.generated.ts`, wasmModule(deflateSync(wasm, { level: 9 }), memoryFlags(wasm)));
    }
  });
}

/** Every kernel file is an entry: what it exports, the module exports. Paths are relative to the root, where the build runs. */
async function compile(target, files) {
  const entries = files.map((file) => `assembly/${file}`);
  const { error, stderr } = await asc.main([...entries, "--config", "asconfig.json", "--target", target]);
  if (error) throw new Error(`the ${target} build of the kernels failed:\n${stderr}`);
}

/** Throws unless a module exports these kernels, with as many arguments, and nothing else. */
export function expectKernels(wasm, kernels) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65535 });
  const abort = () => {};
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory, abort } });
  const say = (list) => list.map(([name, count]) => `${name}/${count}`).sort();
  const found = say(Object.entries(exports).map(([name, kernel]) => [name, kernel.length]));
  const wanted = say(kernels.map(({ name, parameters }) => [name, parameters.length]));
  const wrong = [...wanted.filter((each) => !found.includes(each)), ...found.filter((each) => !wanted.includes(each))];
  if (wrong.length > 0)
    throw new Error(`the compiled kernels are not those that assembly/ declares: ${wrong.join(", ")}`);
}
