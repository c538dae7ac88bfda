/** The time until a process trains, and the size of what it loads. */
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
  const { entry, everything } = await entryBytes();
  const kB = { unit: "kB", digits: 0 };
  rows.push(row("the entry with both builds, gzipped: what importing loads at once", { value: entry }, "<=", 150, kB));
  rows.push(
    row(
      "with all that is loaded on demand: models, tokenizers, file readers",
      { value: everything },
      "",
      undefined,
      kB,
    ),
  );
  return { title: "Start of llama-260k, and the size of the package", rows };
}

/**
 * The package in kB as a browser's bundler packs it, in chunks that are each gzipped: what the entry imports at once with both
 * builds of the kernels, and everything. test/house/package.test.ts holds both to a budget.
 */
async function entryBytes() {
  const { outputFiles, metafile } = await build({
    ...{ entryPoints: [here("../dist/index.js")], bundle: true, splitting: true, metafile: true, minify: true },
    ...{ write: false, outdir: "out", format: "esm", target: "es2022", logLevel: "silent" },
    ...{ platform: "browser", conditions: ["browser"] },
  });
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [path.split("/").at(-1), output]));
  const name = (path) => path.split("/").at(-1);
  const reached = new Set(
    [...outputs].filter(([, { entryPoint }]) => entryPoint?.endsWith("dist/index.js")).map(([at]) => at),
  );
  for (const at of reached)
    for (const next of outputs.get(at).imports) if (next.kind === "import-statement") reached.add(name(next.path));
  const sizes = outputFiles.map(({ path, contents }) => ({
    bytes: gzipSync(contents, { level: 9 }).length,
    counts: reached.has(name(path)) || Buffer.from(contents).includes("memoryFlags"),
  }));
  const sum = (chosen) => chosen.reduce((total, { bytes }) => total + bytes, 0) / 1000;
  return { entry: sum(sizes.filter(({ counts }) => counts)), everything: sum(sizes) };
}
