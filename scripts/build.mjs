/**
 * Builds everything that is not committed:
 *   build/*.wasm            the kernels, one file per target of asconfig.json
 *   src/kernels/*.generated.ts   the same, compressed, as base64 modules
 *   src/wasm/generated/     the typed kernel table; the constants shared with kernels
 *   src/{models,methods,tasks}/index.generated.ts   the folder listings
 *   src/core/task-names.generated.ts   the names of the tasks, for what is below them
 *   dist/                   the published package, in few files: see bundle.mjs
 *
 *   node scripts/build.mjs             what is out of date
 *   node scripts/build.mjs --kernels   kernels and listings only
 */
import { buildKernels } from "./kernels.mjs";
import { writeListings } from "./listings.mjs";
import { buildPackage } from "./package.mjs";
import { at, root } from "./paths.mjs";

process.chdir(root);
try {
  await buildKernels();
  writeListings(at("src"));
  if (!process.argv.includes("--kernels")) await buildPackage();
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}
