/**
 * Builds everything that is not committed:
 *   build/*.wasm            the kernels, one file per target of asconfig.json
 *   src/kernels/*.generated.ts   the same, compressed, as base64 modules
 *   src/wasm/generated/     the typed kernel table; the constants shared with kernels
 *   src/{models,methods}/index.generated.ts   the folder listings
 *   dist/                   the published package, in few files: see bundle.mjs
 *
 *   node scripts/build.mjs             what is out of date
 *   node scripts/build.mjs --kernels   kernels and listings only
 */
import { readdirSync } from "node:fs";
import { listing } from "./generated-modules.mjs";
import { buildKernels } from "./kernels.mjs";
import { buildPackage } from "./package.mjs";
import { at, root } from "./paths.mjs";
import { write } from "./when-changed.mjs";

process.chdir(root);
try {
  await buildKernels();
  write("src/models/index.generated.ts", listing(readdirSync(at("src/models")), "One architecture per file."));
  write("src/methods/index.generated.ts", listing(readdirSync(at("src/methods")), "One PEFT method per file."));
  if (!process.argv.includes("--kernels")) await buildPackage();
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}
