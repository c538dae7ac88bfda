/**
 * One scenario in every host that is installed: Node, Bun, Deno, workerd, a browser. Those that are not are skipped, loudly.
 *
 *   node test/runtimes/run.mjs              all of them
 *   node test/runtimes/run.mjs bun deno     these, which must be there
 *
 * A binary is looked for in the variable of its name (BUN, DENO, WORKERD, CHROMIUM, and NODE for another Node), then on the path.
 * The baseline build must give the same bits everywhere. Needs the package built: `npm run build`.
 */
import { spawn } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { fixture } from "./fixture.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const work = mkdtempSync(join(tmpdir(), "lorikeet-runtimes-"));
const PATIENCE = 60_000;
/** Node 20 has relaxed SIMD behind a flag. */
const relaxed = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];

/** The program to run, or null. */
function installed(variable, ...names) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const places = [process.env[variable], ...names.flatMap((name) => folders.map((folder) => join(folder, name)))];
  return places.find((path) => path && isProgram(path)) ?? null;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts a program and says how it ended; it is stopped when patience is at an end. */
function start(program, args) {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1" };
  const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => (said.out += text));
  child.stderr.on("data", (text) => (said.err += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, ...said });
    });
  });
  return { child, ended };
}

/** A host with a command line: what the scenario prints. */
async function printed(program, args) {
  const { code, out, err } = await start(program, args).ended;
  if (code !== 0) throw new Error(`ended with ${code}\n${err}`);
  return JSON.parse(out.trim().split("\n").at(-1));
}

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
  const { child, ended } = start(program, ["serve", join(work, "worker.capnp"), "--control-fd=1"]);
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

/** Serves a page that runs the scenario and posts what it found. */
async function inBrowser(program) {
  const script = await bundle(
    "page.js",
    ["browser"],
    `
    run().then((found) => ({ found }), (e) => ({ error: e.stack }))
      .then((body) => fetch("/found", { method: "POST", body: JSON.stringify(body) }));`,
  );
  let post;
  const found = new Promise((resolve) => (post = resolve));
  const server = createServer(async (request, response) => {
    if (request.method === "POST") {
      let text = "";
      for await (const part of request) text += part;
      post(JSON.parse(text));
      return response.end();
    }
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? readFileSync(script) : `<!doctype html><script type="module" src="/page.js"></script>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { child, ended } = start(program, [
    ...["--headless=new", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(work, "profile")}`],
    `http://127.0.0.1:${server.address().port}/`,
  ]);
  try {
    const body = await Promise.race([found, ended.then(({ code, err }) => ({ error: `ended with ${code}\n${err}` }))]);
    if (body.error) throw new Error(body.error);
    return body.found;
  } finally {
    child.kill();
    await ended;
    server.close();
  }
}

/** The browser's bundle in Node: that bundling works, wherever no browser is installed. */
async function bundledInNode(program) {
  const entry = await bundle("node.mjs", ["browser"], `console.log(JSON.stringify(await run()));`);
  return printed(program, [...relaxed, entry]);
}

const hosts = {
  node: [process.execPath, (program) => printed(program, [...relaxed, here("cli.mjs")])],
  "browser bundle in node": [process.execPath, bundledInNode],
  "another node": [process.env.NODE ?? null, (program) => printed(program, [here("cli.mjs")])],
  bun: [installed("BUN", "bun"), (program) => printed(program, [here("cli.mjs")])],
  deno: [
    installed("DENO", "deno"),
    (program) => printed(program, ["run", "--allow-read", "--allow-env", here("cli.mjs")]),
  ],
  workerd: [installed("WORKERD", "workerd"), inWorkerd],
  chromium: [installed("CHROMIUM", "chromium", "chromium-browser", "google-chrome"), inBrowser],
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
