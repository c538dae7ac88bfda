// Bundles function.mjs, the library and the model into one file, and calls it in a fresh process in an empty folder.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const folder = await mkdtemp(join(tmpdir(), "function-"));
const outfile = join(folder, "function.mjs");
await build({
  entryPoints: ["examples/programs/function.mjs"],
  outfile,
  ...{ bundle: true, minify: true, format: "esm" },
  ...{ platform: "node", target: "node20" }, // a target without Uint8Array.fromBase64, which Node 20 does not have
  loader: { ".safetensors": "binary" },
});
const megabytes = async (file) => `${((await stat(file)).size / 1e6).toFixed(1)} MB`;
console.log(`one file of ${await megabytes(outfile)}; the model was ${await megabytes("examples/pocket/model.safetensors")}`);

const caller = `
  import handler from "./function.mjs";
  for (const prompt of ["Shall I", "It was a"]) {
    const response = await handler.fetch(new Request("https://function.test/?prompt=" + encodeURIComponent(prompt)));
    console.log(response.status, await response.text());
  }`;
await writeFile(join(folder, "call.mjs"), caller);
const { status } = spawnSync(process.execPath, ["call.mjs"], { cwd: folder, stdio: "inherit" });
await rm(folder, { recursive: true });
process.exit(status);
