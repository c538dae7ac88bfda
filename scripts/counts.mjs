/**
 * Counts that say how the house stands, for CONTRIBUTING.md: npm run counts
 *
 * "Files touched to add" is read off an example that is there: the files of the program that name it, its own included, but not
 * those that put it to use. Files that the build writes do not count.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));

/** TypeScript files below a folder of the project, relative to it, with their syntax. */
function parsedBelow(folder) {
  return new Map(
    readdirSync(join(root, folder), { recursive: true })
      .map((file) => file.replaceAll("\\", "/"))
      .filter((file) => /\.ts$/.test(file) && !/(\.d|generated[^/]*|generated\/[^/]*)\.ts$/.test(file))
      .sort()
      .map((file) => {
        const text = readFileSync(join(root, folder, file), "utf8");
        return [file, ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)];
      }),
  );
}

const src = parsedBelow("src");
const assembly = parsedBelow("assembly");

function* nodesOf(node) {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

// ---- what adding one thing touches

const isName = (node) => ts.isIdentifier(node) || ts.isStringLiteralLike(node) || ts.isTemplateHead(node);

/** Files with a name or a text that fits, comments aside. */
function naming(files, pattern, counts = () => true) {
  return [...files].filter(([, file]) =>
    [...nodesOf(file)].some((n) => isName(n) && pattern.test(n.text) && counts(n)),
  );
}

/** Whether a name declares a key, rather than reads it: in a type, an object or a text such as a flag. */
function declares(node) {
  const { parent } = node;
  const keyed =
    ts.isPropertySignature(parent) || ts.isPropertyAssignment(parent) || ts.isShorthandPropertyAssignment(parent);
  return ts.isStringLiteralLike(node) || (keyed && parent.name === node);
}

const touched = {
  "a training setting (loggingSteps)": naming(src, /^loggingSteps$|--logging-steps|^logging-steps/, declares),
  "a task (TOKEN_CLS), its Auto class aside": naming(src, /TOKEN_CLS/).filter(
    ([file]) => file !== "auto/auto-classes.ts",
  ),
  "a method (OFT)": naming(src, /^oft$|^OFT$|\/oft\.ts$/),
  // class-facts.ts is a table of transformers' tokenizers, which a script writes.
  "a model of a known family (Qwen3)": naming(src, /qwen3/i).filter(([file]) => !file.endsWith("class-facts.ts")),
  "a kernel (lion_f32), reference and test aside": naming(assembly, /^lion_f32$|\/lion$/),
};

// ---- folders

/** Relative imports that are resolved at once: [file, file it imports, whether types alone]. */
function* arrows() {
  for (const [file, source] of src) {
    for (const node of source.statements) {
      if (!(ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) || !node.moduleSpecifier) continue;
      const to = join(dirname(file), node.moduleSpecifier.text);
      if (node.moduleSpecifier.text.startsWith(".") && src.has(to)) yield [file, to, typesAlone(node)];
    }
  }
}

function typesAlone(node) {
  if (node.isTypeOnly || node.importClause?.isTypeOnly) return true;
  const named = node.importClause?.namedBindings ?? node.exportClause;
  const all =
    named && !ts.isNamespaceImport(named) && !ts.isNamespaceExport(named) && named.elements.every((e) => e.isTypeOnly);
  return Boolean(all && !node.importClause?.name);
}

const folderOf = (file) => dirname(file);
const holdsFolders = new Set([...src.keys()].map((file) => dirname(folderOf(file))));
/** A folder without folders in it is one room; beside folders, each file is a room. */
const roomOf = (file) => (holdsFolders.has(folderOf(file)) ? file : folderOf(file));
const wingOf = (file) => file.split("/")[0];

/** Groups of rooms that reach each other. */
function cycles(groupOf, typesToo) {
  const next = new Map();
  for (const [file, to, types] of arrows()) {
    const [from, into] = [groupOf(file), groupOf(to)];
    if (from !== into && (typesToo || !types)) next.set(from, (next.get(from) ?? new Set()).add(into));
  }
  const reach = new Map([...next.keys()].map((from) => [from, reachedFrom(from, next)]));
  const found = new Map();
  for (const [from, all] of reach) {
    if (!all.has(from)) continue;
    const ring = [...all].filter((to) => reach.get(to)?.has(from)).sort();
    found.set(ring.join(" <-> "), ring);
  }
  return [...found.keys()];
}

function reachedFrom(from, next) {
  const seen = new Set();
  const queue = [...(next.get(from) ?? [])];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    queue.push(...(next.get(at) ?? []));
  }
  return seen;
}

const both = (typesToo) => [...new Set([...cycles(wingOf, typesToo), ...cycles(roomOf, typesToo)])];
const running = both(false);
const typed = both(true).filter((ring) => !running.includes(ring));

// ---- names, sizes, tests

function duplicateTypes() {
  const homes = new Map();
  for (const [file, source] of src) {
    for (const node of source.statements) {
      const isType = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node);
      if (!isType || !node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
      homes.set(node.name.text, [...(homes.get(node.name.text) ?? []), file]);
    }
  }
  return [...homes].filter(([, files]) => files.length > 1).map(([name, files]) => `${name}: ${files.join(", ")}`);
}

function largestFolder() {
  const sizes = new Map();
  for (const file of src.keys()) sizes.set(folderOf(file), (sizes.get(folderOf(file)) ?? 0) + 1);
  return [...sizes].sort(([, a], [, b]) => b - a)[0];
}

const tests = new Set(readdirSync(join(root, "test"), { recursive: true }).map((file) => file.replaceAll("\\", "/")));
const tested = [...src.keys()].filter((file) => tests.has(file.replace(/\.ts$/, ".test.ts")));
const [folder, files] = largestFolder();
const duplicates = duplicateTypes();

const rows = [
  ...Object.entries(touched).map(([what, found]) => [
    `files touched to add ${what}`,
    found.length,
    found.map(([file]) => file),
  ]),
  ["folder cycles at run time", running.length, running],
  ["folder cycles of types alone", typed.length, typed],
  ["exported type names that occur twice", duplicates.length, duplicates],
  [`files in the largest folder, ${folder}`, files, []],
  ["sources with a test of their name", `${tested.length} of ${src.size}`, []],
];
const details = process.argv.includes("--details");
for (const [what, count, which] of rows) {
  console.log(`| ${what} | ${count} |`);
  if (details) for (const each of which) console.log(`    ${each}`);
}
