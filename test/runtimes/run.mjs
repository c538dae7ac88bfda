/**
 * One scenario in every host that is installed: Node, Bun, Deno, workerd, a browser. Those that are not are skipped, loudly.
 *
 *   node test/runtimes/run.mjs              all of them
 *   node test/runtimes/run.mjs bun deno     these, which must be there
 *
 * A binary is looked for in the variable of its name (BUN, DENO, WORKERD, CHROMIUM, and NODE for another Node), then on the path.
 * The baseline build must give the same bits everywhere. Needs the package built: `npm run build`.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inBrowser, installed, printed, start } from "../../scripts/hosts.mjs";
import { fixture } from "./fixture.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const work = mkdtempSync(join(tmpdir(), "lorikeet-runtimes-"));
const PATIENCE = 60_000;
/** Node 20 has relaxed SIMD behind a flag. */
const relaxed = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];

/** The scenario, its model and the library in one file, as the host's conditions choose it. */
async function bundle(name, conditions, ending) {
  const { files, sequences } = fixture();
  const base64 = files.map(([file, bytes]) => [file, Buffer.from(bytes).toString("base64")]);
  const contents = `
    import * as lorikeet from "./dist/index.js";
    import { scenarios } from "./test/runtimes/scenario.mjs";
    const files = ${JSON.stringify(base64)}.map(([name, text]) => [name, Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
    const run = () => scenarios(lorikeet, files, ${JSON.stringify(sequences)});
    ${ending}`;
  const outfile = join(work, name);
  await build({
    ...{
      stdin: { contents, resolveDir: root },
      outfile,
      bundle: true,
      format: "esm",
      target: "es2022",
      logLevel: "warning",
    },
    ...{ platform: "browser", conditions, external: ["*.wasm"] },
  });
  return outfile;
}

/** workerd compiles no WebAssembly from bytes: the builds are modules of the upload. */
async function inWorkerd(program) {
  mkdirSync(join(work, "runtime"), { recursive: true });
  await bundle(
    "runtime/worker.js",
    ["workerd", "worker", "browser"],
    `
    export default { fetch: () => run().then(Response.json, (e) => new Response(e.stack, { status: 500 })) };`,
  );
  for (const name of ["baseline", "relaxed"])
    copyFileSync(join(root, `dist/wasm/${name}.wasm`), join(work, `${name}.wasm`));
  writeFileSync(
    join(work, "worker.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [
      (name = "runtime/worker.js", esModule = embed "runtime/worker.js"),
      (name = "kernels/baseline.wasm", wasm = embed "baseline.wasm"),
      (name = "kernels/relaxed.wasm", wasm = embed "relaxed.wasm"),
    ],
    compatibilityDate = "2025-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
`,
  );
  const { child, ended } = start(program, ["serve", join(work, "worker.capnp"), "--control-fd=1"], PATIENCE);
  try {
    const port = await new Promise((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (data) => {
        text += data;
        const listening = /"port":\s*(\d+)/.exec(text);
        if (listening) resolve(listening[1]);
      });
      ended.then(({ err }) => reject(new Error(err)));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    if (!answer.ok) throw new Error(await answer.text());
    return await answer.json();
  } finally {
    child.kill();
    await ended;
  }
}

/** A page that runs the scenario and posts what it found. */
async function onPage(program) {
  const script = await bundle(
    "page.js",
    ["browser"],
    `
    run().then((found) => ({ found }), (e) => ({ error: e.stack }))
      .then((body) => fetch("/found", { method: "POST", body: JSON.stringify(body) }));`,
  );
  return inBrowser(program, { script, profile: join(work, "profile"), patience: PATIENCE });
}

/** The browser's bundle in Node: that bundling works, wherever no browser is installed. */
async function bundledInNode(program) {
  const entry = await bundle("node.mjs", ["browser"], `console.log(JSON.stringify(await run()));`);
  return printed(program, [...relaxed, entry], PATIENCE);
}

const hosts = {
  node: [process.execPath, (program) => printed(program, [...relaxed, here("cli.mjs")], PATIENCE)],
  "browser bundle in node": [process.execPath, bundledInNode],
  "another node": [process.env.NODE ?? null, (program) => printed(program, [here("cli.mjs")], PATIENCE)],
  bun: [installed("BUN", "bun"), (program) => printed(program, [here("cli.mjs")], PATIENCE)],
  deno: [
    installed("DENO", "deno"),
    (program) => printed(program, ["run", "--allow-read", "--allow-env", here("cli.mjs")], PATIENCE),
  ],
  workerd: [installed("WORKERD", "workerd"), inWorkerd],
  chromium: [installed("CHROMIUM", "chromium", "chromium-browser", "google-chrome"), onPage],
};

const asked = process.argv.slice(2);
for (const name of asked)
  if (!Object.hasOwn(hosts, name)) throw new Error(`no host "${name}", there is ${Object.keys(hosts).join(", ")}`);
const [want] = await hosts.node[1](process.execPath);
let failed = 0;
for (const [name, [program, run]] of Object.entries(hosts)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  if (program === null) {
    if (asked.length > 0) failed++;
    console.log(`${asked.length > 0 ? "MISSING" : "SKIPPED"}  ${name}: not installed`);
    continue;
  }
  try {
    const found = await run(program);
    for (const each of found) {
      if (each.build !== "baseline") continue;
      const alike = each.logits === want.logits && each.adapter === want.adapter;
      if (!alike)
        throw new Error(
          `the baseline build should give node's bits: ${JSON.stringify(each)}, node ${JSON.stringify(want)}`,
        );
    }
    console.log(
      `ok       ${name}: ${found.map((each) => `${each.build} ${each.losses.map((loss) => loss.toFixed(6)).join(" -> ")}`).join(", ")}`,
    );
  } catch (error) {
    failed++;
    console.log(`FAILED   ${name}: ${error.message}`);
  }
}
rmSync(work, { recursive: true, force: true });
process.exitCode = failed === 0 ? 0 : 1;
