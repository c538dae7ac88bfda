import { existsSync } from "node:fs";
import { join } from "node:path/posix";
import ts from "typescript";
import { expect, test } from "vitest";
import { filesBelow, read, root } from "./source.ts";

/** The declarations of every entry of the package. */
function entryFiles(): string[] {
  const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, string | { types?: string }> };
  const patterns = Object.values(exports).flatMap((to) => (typeof to === "string" || !to.types ? [] : [to.types]));
  return patterns.flatMap((pattern) => {
    const [before, after] = pattern.slice(2).split("*") as [string, string?];
    if (after === undefined) return [join(root, before)];
    const folder = before.replace(/\/$/, "");
    const listed = filesBelow(folder).filter((file) => file.endsWith(after) && !/\/|\.generated\./.test(file));
    return listed.map((file) => join(root, folder, file));
  });
}

/** Whether users cannot reach a member of a class. */
function isHidden(node: ts.Node): boolean {
  if (!ts.canHaveModifiers(node)) return false;
  return (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
}

/** The names of our own types in a declaration, each with its symbol. */
function typesIn(declaration: ts.Node, checker: ts.TypeChecker): Map<string, ts.Symbol> {
  const found = new Map<string, ts.Symbol>();
  const note = (name: ts.Node) => {
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol === undefined) return;
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const [first] = target.declarations ?? [];
    const isOurs = first?.getSourceFile().fileName.startsWith(join(root, "dist/")) ?? false;
    if (isOurs && first !== undefined && !ts.isTypeParameterDeclaration(first)) found.set(name.getText(), target);
  };
  const visit = (node: ts.Node): void => {
    if (isHidden(node)) return;
    if (ts.isTypeReferenceNode(node)) note(node.typeName);
    if (ts.isExpressionWithTypeArguments(node)) note(node.expression);
    if (ts.isImportTypeNode(node) && node.qualifier !== undefined) note(node.qualifier);
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return found;
}

test("every type in a public signature can be imported from the package", () => {
  const files = entryFiles();
  expect(files.filter((file) => existsSync(file)).length).toBeGreaterThan(10);
  const program = ts.createProgram(files, { skipLibCheck: true, noLib: true, module: ts.ModuleKind.NodeNext });
  const checker = program.getTypeChecker();
  const exported = new Set<ts.Symbol>();
  for (const file of files) {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(file)!);
    for (const one of symbol === undefined ? [] : checker.getExportsOfModule(symbol)) {
      exported.add(one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one);
    }
  }
  expect(exported.size).toBeGreaterThan(100);
  const missing = new Map<string, string>();
  for (const symbol of exported) {
    for (const declaration of symbol.declarations ?? []) {
      for (const [name, target] of typesIn(declaration, checker)) {
        const [first] = target.declarations!;
        const file = first!.getSourceFile().fileName.slice(join(root, "dist/").length);
        if (!exported.has(target)) missing.set(`${name} (${file})`, symbol.name);
      }
    }
  }
  expect([...missing].map(([name, user]) => `${name} is in the signature of ${user}`).sort()).toEqual([]);
});
