/** Every op is held to one contract of gradients: see `expectGradients` in test/ops/gradients.ts. */
import { dirname, join } from "node:path/posix";
import ts from "typescript";
import { expect, test } from "vitest";
import { filesBelow, parse, sources } from "./source.ts";

/** Ops without a gradient, and why. */
const withoutGradient = new Map([
  ["allHeads", "a description of a Value, no arithmetic"],
  ["attendKept", "for decoding"],
  ["constant", "a constant"],
  ["constantRow", "a constant"],
  ["gridOf", "a description of a Value, no arithmetic"],
  ["patches", "pixels get no gradient"],
  ["stopGradient", "stops gradients: its own test holds that"],
]);

const opFiles = [...sources].filter(([file]) => file.startsWith("ops/"));

/** Interfaces that hold a Value, such as Grid. */
function holders(): Set<string> {
  const found = new Set(["Value"]);
  for (const [, source] of opFiles) {
    for (const statement of source.statements) {
      if (!ts.isInterfaceDeclaration(statement)) continue;
      const holds = statement.members.some(
        (member) => ts.isPropertySignature(member) && member.type?.getText() === "Value",
      );
      if (holds) found.add(statement.name.text);
    }
  }
  return found;
}

/** The functions of a file that are exported, by name, with the type that they return. */
function exportedFunctions(source: ts.SourceFile): [name: string, returns: string][] {
  return source.statements.flatMap((statement): [string, string][] => {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    if (ts.isFunctionDeclaration(statement)) return [[statement.name!.text, statement.type?.getText() ?? "?"]];
    if (!ts.isVariableStatement(statement)) return [];
    return statement.declarationList.declarations.flatMap(({ name, initializer }): [string, string][] =>
      initializer && ts.isArrowFunction(initializer) ? [[name.getText(), initializer.type?.getText() ?? "?"]] : [],
    );
  });
}

/** What a test file imports from src/, by the name that it gives it: "ops/loss/losses.ts#squaredError". */
function importedBy(file: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const statement of parse(file).statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    const from = join(dirname(file), (statement.moduleSpecifier as ts.StringLiteral).text);
    const bindings = statement.importClause?.namedBindings;
    if (!from.startsWith("src/") || !bindings || !ts.isNamedImports(bindings)) continue;
    for (const { name, propertyName } of bindings.elements)
      found.set(name.text, `${from.slice("src/".length)}#${(propertyName ?? name).text}`);
  }
  return found;
}

/** Names that an expression of a test reaches, through what the same file declares. */
function reached(file: ts.SourceFile, expression: ts.Node): Set<string> {
  const declared = new Map<string, ts.Node[]>();
  const declare = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) {
      const loop = node.parent?.parent;
      const means = loop && ts.isForOfStatement(loop) ? loop.expression : node;
      const names = node.name ? node.name.getText().match(/\w+/g)! : [];
      for (const name of names) declared.set(name, [...(declared.get(name) ?? []), means]);
    }
    // What a function of `test.each(table)` takes is in the table.
    if (ts.isCallExpression(node) && ts.isCallExpression(node.expression)) {
      const [takes] = node.arguments.filter((argument) => ts.isArrowFunction(argument));
      for (const { name } of takes && ts.isArrowFunction(takes) ? takes.parameters : [])
        for (const word of name.getText().match(/\w+/g)!) declared.set(word, [node.expression]);
    }
    ts.forEachChild(node, declare);
  };
  declare(file);
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !names.has(node.text)) {
      names.add(node.text);
      for (const each of declared.get(node.text) ?? []) visit(each);
    }
    ts.forEachChild(node, visit);
  };
  visit(expression);
  return names;
}

/** What the ops that tests hand to `expectGradients` are made of. */
function checked(): Set<string> {
  const found = new Set<string>();
  for (const name of filesBelow("test/ops").filter((file) => file.endsWith(".test.ts"))) {
    const file = parse(`test/ops/${name}`);
    const imported = importedBy(`test/ops/${name}`);
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && node.expression.getText() === "expectGradients") {
        for (const word of reached(file, node.arguments[2]!)) if (imported.has(word)) found.add(imported.get(word)!);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

test("the gradients of every op are checked against differences, with an own incoming gradient for each element", () => {
  const types = holders();
  const ops = opFiles.flatMap(([file, source]) =>
    exportedFunctions(source)
      .filter(([, returns]) => types.has(returns))
      .map(([name]) => ({ file, name })),
  );
  expect(ops.length).toBeGreaterThan(40);
  const known = checked();
  const unchecked = ops.filter(({ file, name }) => !known.has(`${file}#${name}`) && !withoutGradient.has(name));
  expect(unchecked.map(({ file, name }) => `${name} of ${file}`)).toEqual([]);
});

test("an exported function of an op's file states what it returns", () => {
  const silent = opFiles.flatMap(([file, source]) =>
    exportedFunctions(source)
      .filter(([, returns]) => returns === "?")
      .map(([name]) => `${name} of ${file}`),
  );
  expect(silent).toEqual([]);
});

test("nobody but ops records on a tape", () => {
  const recording = [...sources].filter(([, source]) => {
    const records = (node: ts.Node): boolean =>
      (ts.isCallExpression(node) &&
        ts.isPropertyAccessExpression(node.expression) &&
        /^record(InPlace)?$/.test(node.expression.name.text)) ||
      (ts.forEachChild(node, records) ?? false);
    return records(source);
  });
  expect(recording.length).toBeGreaterThan(20);
  expect(recording.map(([file]) => file).filter((file) => !file.startsWith("ops/"))).toEqual([]);
});
