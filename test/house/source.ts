/** The source files and what each imports, for the house tests. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import ts from "typescript";

export const root: string = new URL("../..", import.meta.url).pathname;

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** False for `import(...)`. */
  readonly atOnce: boolean;
}

/** Paths below a folder of the project, relative to it, sorted; installed packages are none of the project's. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(join(root, folder).length + 1))
    .filter((file) => !file.includes("node_modules/"))
    .sort();
}

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

const parsed = new Map<string, ts.SourceFile>();

/** The syntax of a file, parsed once. */
export function parse(file: string): ts.SourceFile {
  const source = parsed.get(file) ?? ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  parsed.set(file, source);
  return source;
}

/** Everything that a file imports, types included. */
export function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, atOnce: true });
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      found.push({ specifier: (node.arguments[0] as ts.StringLiteral).text, atOnce: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Files of src/, such as "nn/layers/linear.ts", with their syntax. Declarations of other modules are left out. */
export const sources: ReadonlyMap<string, ts.SourceFile> = new Map(
  filesBelow("src")
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => [file, parse(`src/${file}`)]),
);

/** A relative import's file in src/. */
export function resolved(from: string, specifier: string): string {
  return join(dirname(from), specifier);
}
