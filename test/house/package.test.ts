/** The package as it is published, in dist/: made by `npm run build`. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { gzipSync } from "node:zlib";
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
    "@huggingface/jinja",
    "@huggingface/tokenizers",
    "commander",
    "fast-png",
    "jpeg-js",
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

async function bundled(options: BuildOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...{ entryPoints: [join(root, "dist/index.js")], bundle: true, minify: true, write: false, outdir: "out" },
    ...{ format: "esm", target: "es2022", logLevel: "silent", ...options },
  });
  expect(outputFiles).toHaveLength(1);
  return outputFiles![0]!.contents;
}

test("the entry bundles for browsers with both builds in it, for workerd without, and neither reaches for node", async () => {
  const browser = await bundled({ platform: "browser", conditions: ["browser"] });
  const workerd = await bundled({
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["*.wasm"],
  });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const base64 = (name: string) =>
    readFileSync(join(root, `build/${name}.wasm`))
      .toString("base64")
      .slice(0, 4000);
  for (const name of ["baseline", "relaxed"]) {
    expect(text(browser).includes(base64(name))).toBe(true);
    expect(text(workerd).includes(base64(name))).toBe(false);
    expect(text(workerd)).toMatch(new RegExp(`import \\w+ from"[^"]*${name}\\.wasm"`));
  }
  for (const bytes of [browser, workerd]) expect(text(bytes)).not.toMatch(/["']node:/);
});

/** Bytes after gzip at its best. What is over has a reason to be, or goes. */
const kB = 1000;
const budgets = { build: 18 * kB, entry: 225 * kB, entryWithoutKernels: 170 * kB };
const packed = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length;

test.each(["baseline", "relaxed"])("the %s build keeps to its budget", (name) => {
  expect(packed(readFileSync(join(root, `build/${name}.wasm`)))).toBeLessThan(budgets.build);
});

test("the whole entry keeps to its budget, with both builds and without", async () => {
  expect(packed(await bundled({ platform: "browser", conditions: ["browser"] }))).toBeLessThan(budgets.entry);
  const bare = await bundled({ platform: "browser", conditions: ["workerd"], external: ["*.wasm"] });
  expect(packed(bare)).toBeLessThan(budgets.entryWithoutKernels);
});

test("only what is used is bundled: two functions bring neither the trainer nor the tokenizers", async () => {
  const contents = `export { createEngine, concatenate } from "./dist/index.js";`;
  const bytes = await bundled({
    ...{ entryPoints: [], stdin: { contents, resolveDir: root }, platform: "browser" },
    ...{ conditions: ["workerd"], external: ["*.wasm"] },
  });
  expect(bytes.length).toBeLessThan(20 * kB);
});
