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
