// Bundles function.js, the library and the model into one file, and calls it in a fresh process in an empty folder.
import { spawnSync } from "node:child_process";
import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const folder = await mkdtemp(join(tmpdir(), "function-"));
const outfile = join(folder, "function.mjs");
await build({
  entryPoints: ["examples/programs/function.js"],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "node",
  loader: { ".safetensors": "binary" },
});
console.log(`one file of ${((await stat(outfile)).size / 1e6).toFixed(1)} MB, ${(await stat("examples/pocket/model.safetensors")).size / 1e6} MB of it the model`);

const caller = `
  import handler from "./function.mjs";
  for (const prompt of ["Shall I", "It was a"]) {
    const response = await handler.fetch(new Request("https://function.test/?prompt=" + encodeURIComponent(prompt)));
    console.log(response.status, await response.text());
  }`;
await writeFile(join(folder, "call.mjs"), caller);
const { status, stdout, stderr } = spawnSync(process.execPath, ["call.mjs"], { cwd: folder, encoding: "utf8" });
console.log(stdout + stderr);
process.exit(status);
