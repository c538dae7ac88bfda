/**
 * Few files in the place of many: Node takes about half a millisecond for each file of an import. dist/bundle.js has all that
 * importing the package's entry loads at once, dist/models.js what the first model needs besides, dist/tokenizers.js the same for
 * the first tokenizer, dist/shared-*.js what several of them need.
 *
 * Each module in them stays where it was, as a list of what it exports from there, so paths, types and imports on demand are as
 * before. Modules that hosts import stay whole, for the bundle imports the host.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path/posix";
import { build } from "esbuild";
import ts from "typescript";

const GROUPS = { bundle: "index.js", models: "auto/auto-model.js", tokenizers: "text/tokenizer.js" };
const HOSTS = ["runtime/node.js", "runtime/browser.js", "runtime/workerd.js"];

/** Bundles `folder`, as tsc made it, in place. */
export async function bundleGroups(folder) {
  const taken = await modulesOf(folder, HOSTS);
  const lists = new Map(); // the text that each module becomes
  const entries = {}; // the text of each group: everything that its modules export, under names of its own
  for (const [group, first] of Object.entries(GROUPS)) {
    entries[group] = "";
    for (const [file, names] of await modulesOf(folder, [first])) {
      if (taken.has(file)) continue;
      taken.set(file, names);
      const own = names.map((name) => [name, `m${taken.size}_${name}`]);
      entries[group] += exportText(own, `./${file}`);
      const inverse = own.map(([name, alias]) => [alias, name]);
      lists.set(file, exportText(inverse, relative(dirname(`./${file}`), `${group}.js`).replace(/^(?!\.)/, "./")));
    }
  }
  await build({
    ...{
      entryPoints: Object.keys(entries),
      outdir: folder,
      bundle: true,
      splitting: true,
      chunkNames: "shared-[hash]",
    },
    ...{ format: "esm", target: "es2022", packages: "external", logLevel: "warning" },
    plugins: [texts(folder, entries), onlyAtOnce(folder, (file) => lists.has(file)), pureDeclarations(folder)],
  });
  for (const [file, text] of lists) writeFileSync(join(folder, file), text);
}

function exportText(names, path) {
  return `export { ${names.map(([from, to]) => `${from} as ${to}`).join(", ")} } from "${path}";\n`;
}

/** What importing these files loads at once: each module with the names that it exports. */
async function modulesOf(folder, files) {
  const shared = { write: false, metafile: true, format: "esm", outdir: folder, logLevel: "warning" };
  const entryPoints = files.map((file) => join(folder, file));
  const plugins = [onlyAtOnce(folder, () => true)];
  const { metafile: whole } = await build({ ...shared, entryPoints, bundle: true, packages: "external", plugins });
  const { metafile: each } = await build({ ...shared, entryPoints: Object.keys(whole.inputs), outbase: folder });
  const found = Object.values(each.outputs).map(({ entryPoint, exports }) => [relative(folder, entryPoint), exports]);
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Entry points that are no files. */
function texts(folder, entries) {
  return {
    name: "texts",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\w+$/ }, ({ path, kind }) =>
        kind === "entry-point" ? { path, namespace: "text" } : undefined,
      );
      onLoad({ filter: /./, namespace: "text" }, ({ path }) => ({
        contents: entries[path],
        resolveDir: join(process.cwd(), folder),
      }));
    },
  };
}

/** Imports on demand, of the host, and of files that are not `inside` stay imports. */
function onlyAtOnce(folder, inside) {
  const root = join(process.cwd(), folder);
  return {
    name: "only-at-once",
    setup({ onResolve }) {
      onResolve({ filter: /^#host$|\.wasm$/ }, ({ path }) => ({ path, external: true }));
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, kind }) => {
        const file = relative(root, join(resolveDir, path));
        const bundled = kind === "entry-point" || (kind === "import-statement" && inside(file));
        return bundled ? undefined : { path: `./${file}`, external: true };
      });
    },
  };
}

/**
 * The manifest says of every file that importing it does nothing (`sideEffects: false`); in one file this has to be said of every
 * declaration, so that a user's bundler can drop the unused ones. test/house/ holds the modules to it.
 */
function pureDeclarations(folder) {
  return {
    name: "pure-declarations",
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) =>
        path.startsWith(join(process.cwd(), folder))
          ? { contents: withPureCalls(readFileSync(path, "utf8")) }
          : undefined,
      );
    },
  };
}

/** Marks every call that loading the module makes, and wraps in one what is no call and yet not known to be pure. */
function withPureCalls(text) {
  const marks = []; // [place, text]
  const visit = (node) => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) marks.push([node.getStart(), PURE]);
    ts.forEachChild(node, visit);
  };
  for (const statement of ts.createSourceFile("module.js", text, ts.ScriptTarget.ES2022, true).statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { initializer } of statement.declarationList.declarations) {
      if (!initializer) continue;
      const wraps = reads(initializer);
      if (wraps) marks.push([initializer.getStart(), `${PURE}(() => (`]);
      visit(initializer);
      if (wraps) marks.push([initializer.getEnd(), "))()"]);
    }
  }
  // From the end, so that places stay right; of two at the same place, the first stands first.
  const fromEnd = marks.reverse().sort(([a], [b]) => b - a);
  return fromEnd.reduce((made, [at, mark]) => made.slice(0, at) + mark + made.slice(at), text);
}

const PURE = "/* @__PURE__ */ ";

/** Whether computing it reads properties or spreads, which may run anything as far as a bundler knows. */
function reads(node) {
  if (ts.isFunctionLike(node)) return false;
  if (ts.isSpreadAssignment(node) || ts.isSpreadElement(node) || ts.isPropertyAccessExpression(node)) return true;
  return ts.forEachChild(node, reads) ?? false;
}
