/**
 * Few files instead of many: Node takes about half a millisecond for each file of an import. bundle.js has all that
 * importing the package's entry loads at once, models.js what the first model needs besides, tokenizers.js what the
 * first tokenizer needs. Each module stays where it was, and exports from there, so paths, types and imports on demand
 * are as before. Modules that hosts import stay whole, for the bundle imports the host.
 */
import { readdirSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { rolldown } from "rolldown";

/**
 * The file for what these modules load at once, null for their own; a folder stands for all that is in it. A later line takes what an
 * earlier one has.
 */
const GROUPS = [
  ["tokenizers", "text/tokenizer.js"],
  ["models", "nn/tasks/"], // a task loads the class of its model on demand
  ["models", "auto/auto-model.js"],
  ["bundle", "index.js"],
  [null, "runtime/node.js"],
  [null, "runtime/browser.js"],
  [null, "runtime/workerd.js"],
];

/** Bundles these modules of a folder, as tsc made them, in place. */
export async function bundle(folder, modules) {
  const build = await rolldown({
    input: Object.fromEntries(modules.map((file) => [file.slice(0, -".js".length), resolve(folder, file)])),
    external: (id) => id.endsWith(".wasm") || (!id.startsWith(".") && !isAbsolute(id)),
    ...{ platform: "neutral", treeshake: false, preserveEntrySignatures: "allow-extension" },
    plugins: [pureDeclarations, noBareImports],
    checks: { ineffectiveDynamicImport: false }, // methods are imported by name, and found by name in files
  });
  await build.write({
    ...{ dir: folder, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name].js" },
    comments: { legal: true, annotation: true, jsdoc: false },
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: groupsIn(folder), debugName: "what is loaded at once" }],
    },
  });
}

/** Names the file of a module. */
function groupsIn(folder) {
  let groups; // once the bundler knows all modules
  return (id, bundler) => {
    groups ??= new Map(
      GROUPS.flatMap(([name, first]) =>
        filesOf(folder, first).flatMap((file) => atOnce(bundler, file).map((module) => [module, name])),
      ),
    );
    return groups.get(id) ?? null;
  };
}

/** A module, or all modules of a folder. */
function filesOf(folder, part) {
  if (!part.endsWith("/")) return [resolve(folder, part)];
  const files = readdirSync(resolve(folder, part)).filter((file) => file.endsWith(".js"));
  return files.map((file) => resolve(folder, part, file));
}

/** What importing a module loads at once. */
function atOnce(bundler, first) {
  const found = new Set([first]);
  for (const id of found) for (const next of bundler.getModuleInfo(id)?.importedIds ?? []) found.add(next);
  return [...found];
}

/**
 * The manifest says of every file that importing it does nothing (`sideEffects: false`); in one file this has to be said of every
 * declaration, so that a user's bundler can drop the unused ones. test/house/ holds the modules to it.
 */
const pureDeclarations = {
  name: "pure-declarations",
  transform(code) {
    const declarations = this.parse(code)
      .body.map((statement) => statement.declaration ?? statement)
      .filter(({ type }) => type === "VariableDeclaration")
      .flatMap(({ declarations }) => declarations.map(({ init }) => init));
    const wrapped = (text, { start, end }) =>
      `${text.slice(0, start)}/* @__PURE__ */ (() => (${text.slice(start, end)}))()${text.slice(end)}`;
    return declarations.filter((init) => init && runs(init)).reduceRight(wrapped, code);
  },
};

/** The bundler loads files whose declarations a module no longer needs. Importing does nothing, and esbuild warns a user of it. */
const noBareImports = {
  name: "no-bare-imports",
  generateBundle(_options, files) {
    for (const chunk of Object.values(files)) chunk.code = chunk.code?.replaceAll(/^import "\.[^"]*";\n/gm, "");
  },
};

/** Whether computing an expression may run anything as far as a bundler knows: calls, and reads of what may be a getter. */
function runs({ type, ...parts }) {
  if (/Function|^Class/.test(type)) return false;
  if (/^(Call|New|Member|TaggedTemplate)Expression$|^Spread/.test(type)) return true;
  return Object.values(parts)
    .flat()
    .some((part) => part?.type !== undefined && runs(part));
}
