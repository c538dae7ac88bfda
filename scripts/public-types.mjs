/**
 * Writes src/types.ts: every type that a public signature names, directly or by way of others. Run it after a change that the house
 * test of exported types names, with dist/ up to date:
 *
 *   node scripts/public-types.mjs
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";
import { at, filesBelow } from "./paths.mjs";

/** Names that the entry has for something else. */
const OTHER_NAMES = { CausalLM: "BareCausalLM", Seq2SeqLM: "BareSeq2SeqLM" };
const HEAD = `/**
 * Types that public signatures name, so that all of them can be imported. Written by scripts/public-types.mjs; a house test says when it
 * has to run again.
 */
`;

const { exports } = JSON.parse(readFileSync(at("package.json"), "utf8"));
const files = Object.values(exports)
  .flatMap((to) => (to.types ? [to.types.slice(2)] : []))
  .flatMap((pattern) => {
    const [before, after] = pattern.split("*");
    if (after === undefined) return [pattern];
    return filesBelow(before.slice(0, -1)).filter(
      (file) => file.endsWith(after) && !/\/|\.generated\./.test(file.slice(before.length)),
    );
  })
  .map((file) => at(file));
const program = ts.createProgram(files, { skipLibCheck: true, noLib: true, module: ts.ModuleKind.NodeNext });
const checker = program.getTypeChecker();
const target = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
const fileOf = (symbol) => symbol.declarations?.[0]?.getSourceFile().fileName ?? "";

const found = new Set();
const own = at("dist/types.d.ts");
for (const file of files) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file));
  for (const symbol of module ? checker.getExportsOfModule(module) : []) found.add(target(symbol));
}
const listed = existsSync(own) ? checker.getSymbolAtLocation(program.getSourceFile(own)) : undefined;
const fromTypes = new Set(listed ? checker.getExportsOfModule(listed).map(target) : []);
const needed = new Set();
const seen = new Set([...found].filter((symbol) => !fromTypes.has(symbol)));
for (const symbol of seen) {
  if (found.has(symbol) && !fromTypes.has(symbol)) visitAll(symbol);
  else {
    needed.add(symbol);
    visitAll(symbol);
  }
}

function visitAll(symbol) {
  for (const declaration of symbol.declarations ?? []) visit(declaration);
}

function visit(node) {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)) return;
  if (ts.isTypeReferenceNode(node)) note(node.typeName);
  if (ts.isExpressionWithTypeArguments(node)) note(node.expression);
  if (ts.isImportTypeNode(node) && node.qualifier) note(node.qualifier);
  ts.forEachChild(node, visit);
}

function note(name) {
  const symbol = checker.getSymbolAtLocation(name);
  if (!symbol) return;
  const type = target(symbol);
  const [first] = type.declarations ?? [];
  if (!first || ts.isTypeParameterDeclaration(first) || !fileOf(type).startsWith(at("dist"))) return;
  seen.add(type);
}

const modules = new Map();
for (const symbol of needed) {
  const file = fileOf(symbol)
    .slice(at("dist").length)
    .replace(/^\/+/, "")
    .replace(/\.d\.ts$/, "");
  modules.set(file, [...(modules.get(file) ?? []), symbol.name]);
}
const lines = [...modules].sort().map(([file, names]) => {
  const exported = names.sort().map((name) => (OTHER_NAMES[name] ? `${name} as ${OTHER_NAMES[name]}` : name));
  return `export type { ${exported.join(", ")} } from "./${file}.ts";\n`;
});
writeFileSync(at("src/types.ts"), HEAD + lines.join(""));
