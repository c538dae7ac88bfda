/** The package as it is published, in dist/: made by `npm run build`. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { gzipSync, inflateSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import { expect, test } from "vitest";
import { filesBelow, importsOf, read, root, sources } from "./source.ts";

interface Manifest {
  readonly version: string;
  readonly sideEffects: boolean;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly imports: Record<string, Record<string, string>>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
const manifest = JSON.parse(read("package.json")) as Manifest;
const listed = (folder: string) =>
  filesBelow(folder)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"))
    .map((file) => file.slice(0, -3));

/** Every entry that a user can import, with patterns written out. */
const entries: { name: string; files: string[] }[] = Object.entries(manifest.exports).flatMap(([name, to]) => {
  const targets = typeof to === "string" ? [to] : Object.values(to);
  if (!name.includes("*")) return [{ name, files: targets }];
  return listed(`src/${name.split("/")[1]}`).map((stem) => ({
    name: name.replace("*", stem),
    files: targets.map((target) => target.replace("*", stem)),
  }));
});
const modules = entries.filter(({ files }) => files.some((file) => file.endsWith(".js")));

test("the package depends on what was agreed and nothing else, each pinned", () => {
  expect(Object.keys(manifest.dependencies).sort()).toEqual([
    "@assemblyscript/loader",
    "commander",
    "hyparquet",
    "jpeg-js",
    "papaparse",
    "yaml",
  ]);
  const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("every dependency is imported, and only those; commander and yaml by the command line alone", () => {
  const users = new Map<string, string[]>();
  for (const [file, source] of sources) {
    for (const { specifier } of importsOf(source)) {
      if (/^(\.|#|node:)/.test(specifier)) continue;
      users.set(specifier, [...(users.get(specifier) ?? []), file]);
    }
  }
  expect([...users.keys()].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  const outside = ["commander", "yaml"].flatMap((name) => users.get(name)!.filter((file) => !file.startsWith("cli/")));
  expect(outside).toEqual([]);
});

test("every export, the command and every host's file exist after the build", () => {
  const files = [
    ...entries.flatMap((entry) => entry.files),
    ...Object.values(manifest.bin),
    ...Object.values(manifest.imports["#host"]!),
  ];
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(entries.length).toBeGreaterThan(8);
  expect(manifest.sideEffects).toBe(false);
});

test("every public module can be imported by its name, and exports something", async () => {
  const script = `
    for (const name of ${JSON.stringify(modules.map(({ name }) => name.replace(".", "lorikeet")))}) {
      console.log(name, Object.keys(await import(name)).length);
    }`;
  const { stdout, stderr } = run(["--input-type=module", "--eval", script]);
  expect(stderr).toBe("");
  const counts = stdout
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[1]));
  expect(counts).toHaveLength(modules.length);
  for (const count of counts) expect(count).toBeGreaterThan(0);
});

function run(args: string[]): { stdout: string; stderr: string } {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return { stdout, stderr };
}

test.each(modules)(
  "importing $name adds no global, changes no built-in, starts no instance and prints nothing",
  ({ name }) => {
    const script = `
    const described = () => [globalThis, ...["Array", "Object", "Map", "Promise", "String", "Uint8Array"].map((k) => globalThis[k].prototype)]
      .map((o) => Reflect.ownKeys(o).map((k) => String(k)).sort().join()).join(";");
    const started = [];
    for (const key of ["Instance", "Module", "Memory"]) {
      WebAssembly[key] = new Proxy(WebAssembly[key], { construct(target, args) { started.push(key); return new target(...args); } });
    }
    for (const key of ["compile", "instantiate"]) WebAssembly[key] = () => started.push(key);
    for (const key of ["fetch", "setTimeout", "setInterval", "queueMicrotask"]) globalThis[key] = () => started.push(key);
    const before = described();
    await import(${JSON.stringify(name.replace(".", "lorikeet"))});
    if (described() !== before) started.push("a global or prototype");
    process.stderr.write(started.join());`;
    expect(run(["--input-type=module", "--eval", script]).stdout).toBe("");
  },
);

const bundling = {
  entryPoints: [join(root, "dist/index.js")],
  bundle: true,
  minify: true,
  write: false,
  outdir: "out",
  format: "esm",
  target: "es2022",
  platform: "browser",
  conditions: ["browser"],
  logLevel: "silent",
} satisfies BuildOptions;

async function bundled(options: BuildOptions = {}): Promise<Uint8Array> {
  const { outputFiles, warnings } = await build({ ...bundling, ...options });
  expect(warnings).toEqual([]);
  expect(outputFiles).toHaveLength(1);
  return outputFiles![0]!.contents;
}

/** The chunks that a page loads for the entry, as bundlers split it, those that it loads on demand, and the files at once. */
async function splitUp(): Promise<{ atOnce: Uint8Array[]; onDemand: Uint8Array[]; files: string[] }> {
  const { outputFiles, metafile } = await build({ ...bundling, splitting: true, metafile: true });
  const { outputs } = metafile;
  const reached = new Set(["out/index.js"]);
  for (const path of reached)
    for (const next of outputs[path]!.imports) if (next.kind === "import-statement") reached.add(next.path);
  const chunks = outputFiles.map(({ path, contents }) => ({ path: `out/${path.split("/").at(-1)}`, contents }));
  const which = (wanted: boolean) =>
    chunks.filter(({ path }) => reached.has(path) === wanted).map(({ contents }) => contents);
  const files = [...reached].flatMap((path) => Object.keys(outputs[path]!.inputs));
  return { atOnce: which(true), onDemand: which(false), files };
}

test("the entry bundles for browsers with both builds in it, for workerd without, and neither reaches for node", async () => {
  const browser = await bundled();
  const workerd = await bundled({ conditions: ["workerd", "worker", "browser"], external: ["*.wasm"] });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const base64 = (name: string) => /"([^"]{4000,})"/.exec(read(`src/kernels/${name}.generated.ts`))![1]!;
  for (const name of ["baseline", "relaxed"]) {
    const unpacked = inflateSync(Buffer.from(base64(name), "base64"));
    expect(unpacked.equals(readFileSync(join(root, `build/${name}.wasm`)))).toBe(true);
    expect(text(browser).includes(base64(name))).toBe(true);
    expect(text(workerd).includes(base64(name))).toBe(false);
    expect(text(workerd)).toMatch(new RegExp(`import [\\w$]+ from"[^"]*${name}\\.wasm"`));
  }
  for (const bytes of [browser, workerd]) expect(text(bytes)).not.toMatch(/["']node:/);
});

/**
 * Bytes after gzip at its best. What is over has a reason to be, or goes. `entry` is what importing the package loads at once
 * with both builds of the kernels (a program loads one of them); `everything` has what is loaded on demand as well: tokenizers,
 * chat templates, every model, readers of files, image decoders.
 */
const kB = 1000;
const budgets = { build: 27 * kB, dot: 28 * kB, wide: 32 * kB, entry: 159.8 * kB, everything: 396 * kB };
const packed = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length;
const total = (chunks: Uint8Array[]) => chunks.reduce((sum, chunk) => sum + packed(chunk), 0);

test.each(["baseline", "relaxed", "dot", "wide"] as const)("the %s build keeps to its budget", (name) => {
  const most = name === "wide" || name === "dot" ? budgets[name] : budgets.build;
  expect(packed(readFileSync(join(root, `src/kernels/${name}.generated.ts`)))).toBeLessThan(most);
});

test("the entry with both builds keeps to its budget, and so does everything there is to load", async () => {
  const { atOnce, onDemand } = await splitUp();
  const kernels = onDemand.filter((chunk) => /memoryFlags/.test(new TextDecoder().decode(chunk)));
  expect(kernels).toHaveLength(2);
  console.log(
    `entry ${total([...atOnce, ...kernels])}, everything ${total([...atOnce, ...onDemand])} bytes after gzip`,
  );
  expect(total([...atOnce, ...kernels])).toBeLessThan(budgets.entry);
  expect(total([...atOnce, ...onDemand])).toBeLessThan(budgets.everything);
});

/** Source files that importing the entry loads at once, and those that these import on demand. */
async function loadedBySource(): Promise<{ atOnce: Set<string>; onDemand: Set<string> }> {
  const onDemand = new Set<string>();
  const name = (path: string) => path.slice(path.lastIndexOf("src/") + 4);
  const { metafile } = await build({
    ...bundling,
    ...{ entryPoints: [join(root, "src/index.ts")], packages: "external", metafile: true },
    plugins: [
      {
        name: "on-demand",
        setup({ onResolve }) {
          onResolve({ filter: /^#host$/ }, ({ path }) => ({ path, external: true }));
          onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
            if (kind !== "dynamic-import") return undefined;
            onDemand.add(name(join(resolveDir, path)));
            return { path, external: true };
          });
        },
      },
    ],
  });
  return { atOnce: new Set(Object.keys(metafile.inputs).map(name)), onDemand };
}

test("what is loaded on demand is not loaded with the entry, or waiting for it would be for nothing", async () => {
  const { atOnce, onDemand } = await loadedBySource();
  expect(atOnce.has("adapt/peft-model.ts")).toBe(true);
  expect(onDemand.size).toBeGreaterThan(20);
  // Methods are exported by name, and found by name in files.
  expect([...onDemand].filter((file) => atOnce.has(file) && !file.startsWith("methods/"))).toEqual([]);
});

test("with the entry comes no dependency but the loader of kernels", async () => {
  const { files } = await splitUp();
  const packages = files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  expect([...new Set(packages)]).toEqual(["@assemblyscript/loader"]);
});

test("only what is used is bundled: two functions bring neither the trainer nor the tokenizers", async () => {
  const contents = `export { createEngine, concatenate } from "./dist/index.js";`;
  const bytes = await bundled({
    ...{ entryPoints: [], stdin: { contents, resolveDir: root } },
    ...{ conditions: ["workerd"], external: ["*.wasm"] },
  });
  expect(bytes.length).toBeLessThan(29.5 * kB);
});
