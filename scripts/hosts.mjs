/** The hosts that are installed, and programs in them: for test/runtimes/run.mjs and bench/hosts.js. */
import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, join } from "node:path";
import { root } from "./paths.mjs";

/** Headers of a page that may share memory with its workers. */
const ISOLATION = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** The program of the variable of this name, or the first of these names on the path, or null. */
export function installed(variable, ...names) {
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

/** Starts a program at the root and says how it ended; it is stopped when `patience` milliseconds are over. */
export function start(program, args, patience) {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1" };
  const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => (said.out += text));
  child.stderr.on("data", (text) => (said.err += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), patience);
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, ...said });
    });
  });
  return { child, ended };
}

/** The JSON in the last line that a program prints. */
export async function printed(program, args, patience) {
  const { code, out, err } = await start(program, args, patience).ended;
  if (code !== 0) throw new Error(`ended with ${code}\n${err}`);
  return JSON.parse(out.trim().split("\n").at(-1));
}

/**
 * Serves a page with a script that posts { found } or { error } to /found, shows it in a Chromium whose profile is in `profile`, and
 * returns what was found. With `isolated` the page may have threads.
 */
export async function inBrowser(program, { script, profile, patience, isolated = false }) {
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
    if (isolated) for (const [name, value] of Object.entries(ISOLATION)) response.setHeader(name, value);
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? readFileSync(script) : `<!doctype html><script type="module" src="/page.js"></script>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { child, ended } = start(
    program,
    [
      ...["--headless=new", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`],
      `http://127.0.0.1:${server.address().port}/`,
    ],
    patience,
  );
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
