/** One name, one thing. */
import { dirname } from "node:path/posix";
import ts from "typescript";
import { expect, test } from "vitest";
import { sources } from "./source.ts";

/** Folders that are a library in themselves, with the words of what they implement. */
const worlds = ["jinja", "tokenizers"];

/** Names that options, data and benchmarks still share. */
const shared: string[] = [];

function isExported(statement: ts.Statement): boolean {
  return ts.canHaveModifiers(statement)
    ? (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    : false;
}

/** Exported interfaces, types and classes by name. */
function exportedTypes(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const world = file.split("/")[0]!;
    for (const statement of source.statements) {
      const declares =
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement) ||
        ts.isClassDeclaration(statement);
      if (!declares || !isExported(statement)) continue;
      const name = `${worlds.includes(world) ? `${world}: ` : ""}${statement.name!.text}`;
      found.set(name, [...(found.get(name) ?? []), file]);
    }
  }
  return found;
}

test("an exported type's name occurs once", () => {
  const types = exportedTypes();
  expect(types.size).toBeGreaterThan(200);
  const twice = [...types].filter(([name, files]) => files.length > 1 && !shared.includes(name));
  expect(twice.map(([name, files]) => `${name}: ${files.join(", ")}`)).toEqual([]);
});

test("no file is called by a word that says nothing", () => {
  const empty = /(^|\/)(utils?|helpers?|misc|common|shared|base|make|types|index)\.ts$/;
  const found = [...sources.keys()].filter((file) => empty.test(file) && dirname(file) !== ".");
  expect(found).toEqual([]);
});
