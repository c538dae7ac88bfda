/** Every op is held to one contract of gradients: see `expectGradients` in test/ops/gradients.ts. */
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

/** Files that hold ops, with what users may import. */
const opFiles = [...sources].filter(([file]) => file.startsWith("ops/") || file === "ops.ts");

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

/** Names that an expression of a test reaches, through what the same file declares. */
function reached(file: ts.SourceFile, expression: ts.Node): Set<string> {
  const declared = new Map<string, ts.Node[]>();
  const declare = (node: ts.Node): void => {
    const of =
      ts.isVariableDeclaration(node) && ts.isForOfStatement(node.parent.parent) ? node.parent.parent.expression : node;
    if ((ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) && node.name) {
      const names = ts.isIdentifier(node.name)
        ? [node.name.text]
        : node.name.elements.map((e) => ("name" in e ? e.name.getText() : ""));
      for (const name of names) declared.set(name, [...(declared.get(name) ?? []), of]);
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

/** Names inside the ops that tests hand to `expectGradients`. */
function checked(): Set<string> {
  const found = new Set<string>();
  for (const name of filesBelow("test").filter((file) => /^ops[/.].*\.test\.ts$/.test(file))) {
    const file = parse(`test/${name}`);
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && node.expression.getText() === "expectGradients") {
        for (const reachable of reached(file, node.arguments[2]!)) found.add(reachable);
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
  const unchecked = ops.filter(({ name }) => !known.has(name) && !withoutGradient.has(name));
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
