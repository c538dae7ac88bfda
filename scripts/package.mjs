/** Makes dist/, the published package. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, renameSync, rmSync } from "node:fs";
import { bundle } from "./bundle.mjs";
import { shipped } from "./kernels.mjs";
import { at, filesBelow } from "./paths.mjs";
import { writeSbom } from "./sbom.mjs";
import { whenChanged } from "./when-changed.mjs";

/** Makes dist/ where it is out of date; what is generated in src/ must be there. */
export async function buildPackage() {
  const settings = ["package.json", "tsconfig.json", "tsconfig.build.json", "package-lock.json", "build/wasm.stamp"];
  await whenChanged("build/dist.stamp", [...settings, ...filesBelow("src")], ["dist/index.js"], async () => {
    // Built on the side and put in place whole, so that a program that runs meanwhile finds the old one or the new one.
    const made = `build/dist-${process.pid}`;
    compile(made);
    const modules = filesBelow(made).filter((file) => file.endsWith(".js"));
    await bundle(
      at(made),
      modules.map((file) => file.slice(made.length + 1)),
    );
    for (const target of shipped) cpSync(at(`build/${target}.wasm`), at(`${made}/kernels/${target}.wasm`));
    writeSbom(at(`${made}/sbom.cdx.json`));
    chmodSync(at(`${made}/cli/main.js`), 0o755); // npm makes it so where the package is installed; a clone runs it from here
    rmSync(at("dist"), { recursive: true, force: true });
    renameSync(at(made), at("dist"));
  });
}

function compile(folder) {
  const tsc = [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json"), "--outDir", at(folder)];
  if (spawnSync(process.execPath, tsc, { stdio: "inherit" }).status !== 0) throw new Error("tsc found errors");
}
