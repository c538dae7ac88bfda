/** The folder listings, by which a file that is added is known: models, methods and tasks are named nowhere else. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes the listings of a source folder, where they are not as they should be. */
export function writeListings(source) {
  listOnDemand(join(source, "models"), "One architecture per file; copies are defined in the file of their original.", [
    "export const copies = {",
    ...copiesIn(join(source, "models")),
    "} as const;",
  ]);
  listOnDemand(join(source, "methods"), "One PEFT method per file.");
  exportAll(join(source, "methods"));
  listTasks(source);
}

/** `index.generated.ts`: file name to lazy import, so that the folder listing is the registration. */
function listOnDemand(folder, describe, more = []) {
  const lines = modulesIn(folder).map((n) => `  ${JSON.stringify(n)}: () => import("./${n}.ts"),`);
  writeListing(join(folder, "index.generated.ts"), [
    `// ${LISTED} ${describe}`,
    "export const files = {",
    ...lines,
    "};",
    ...more,
  ]);
}

/** `exports.generated.ts`: each file's main export, which has the file's name in camelCase, for the package's entry. */
function exportAll(folder) {
  const camelCase = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
  const lines = modulesIn(folder).map((name) => `export { ${camelCase(name)} } from "./${name}.ts";`);
  writeListing(join(folder, "exports.generated.ts"), [`// ${LISTED} What users call a method by.`, ...lines]);
}

/** Model types that a file defines besides the one it is named by, as entries: model type to file name. */
function copiesIn(folder) {
  return modulesIn(folder).flatMap((file) => {
    const types = readFileSync(join(folder, `${file}.ts`), "utf8").matchAll(/modelType: "([^"]+)"/g);
    const others = Array.from(types, ([, type]) => type).filter((type) => type !== file);
    return others.map((type) => `  ${JSON.stringify(type)}: ${JSON.stringify(file)},`);
  });
}

/**
 * Tasks are imported at once, since rows are read without waiting; what of a task is large, its file imports on demand. Their
 * names alone are listed once more in core/, where every folder can read them.
 */
function listTasks(source) {
  const found = modulesIn(join(source, "tasks"));
  const names = found.map((name) => name.toUpperCase());
  writeListing(join(source, "core/task-names.generated.ts"), [
    `// ${LISTED} The files of src/tasks, in capitals.`,
    `export const taskNames = ${JSON.stringify(names)} as const;`,
  ]);
  writeListing(join(source, "tasks/index.generated.ts"), [
    `// ${LISTED} One task per file.`,
    ...found.map((name, i) => `import { task as task${i} } from "./${name}.ts";`),
    "export const taskDefinitions = {",
    ...names.map((name, i) => `  ${name}: task${i},`),
    "};",
  ]);
}

const LISTED = "Made by scripts/build.mjs from the folder listing.";

function modulesIn(folder) {
  return readdirSync(folder)
    .filter((f) => f.endsWith(".ts") && !f.endsWith(".generated.ts"))
    .map((f) => f.slice(0, -3))
    .sort();
}

function writeListing(file, lines) {
  const text = `${lines.join("\n")}\n`;
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}
