/** How soon a process trains, and how much there is to load. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { here, lorikeetBench } from "../programs.js";
import { row } from "../report.js";

export async function measure({ rounds }) {
  const rows = [];
  const ms = { unit: "ms", digits: 0 };
  for (const which of ["baseline", "relaxed"]) {
    const args = ["start", "--shape", "llama-260k", "--rounds", rounds(9, 3)];
    const [whole, one] = [args, [...args, "--batch", "1"]].map((each) => lorikeetBench(which, 1, ...each));
    const part = (found, key) => (found.missing ? found : { value: found[key] });
    rows.push(
      row(
        `${which}: from import to the end of a first step of 1 x 256 tokens`,
        part(one, "firstStepMs"),
        "<=",
        150,
        ms,
      ),
    );
    rows.push(row(`${which}: of which until a model is ready to train`, part(one, "readyMs"), "", undefined, ms));
    rows.push(
      row(`${which}: to the end of a first step of 8 x 256 tokens`, part(whole, "firstStepMs"), "", undefined, ms),
    );
  }
  rows.push(
    row("the whole entry with both builds, gzipped", { value: (await entryBytes()) / 1000 }, "<=", 150, {
      unit: "kB",
      digits: 0,
    }),
  );
  return { title: "Start of llama-260k, and the size of the package", rows };
}

/** The entry as a browser's bundler packs it: test/house/package.test.ts holds it to a budget. */
async function entryBytes() {
  const { outputFiles } = await build({
    ...{ entryPoints: [here("../dist/index.js")], bundle: true, minify: true, write: false, outdir: "out" },
    ...{ format: "esm", target: "es2022", logLevel: "silent", platform: "browser", conditions: ["browser"] },
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}
