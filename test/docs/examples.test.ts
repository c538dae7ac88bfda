/** Every `@example` of a doc comment compiles: against the names that src/ exports, and a few variables that readers know. */
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { root, sources } from "../house/source.ts";

interface Example {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

/** What an example may use without making it. Names are those of the guides. */
const ambient = `
declare const engine: Engine;
declare const base: CausalLM;
declare const model: PeftModel<CausalLM>;
declare const encoder: FeatureExtractor;
declare const t5: GenerativeSeq2SeqLM;
declare const tokenizer: Tokenizer;
declare const trainDataset: Example[];
declare const testDataset: Example[];
declare const trainer: Trainer;
declare const examples: Example[];
declare const rows: Row[];
declare const labelNames: string[];
declare const bytes: Uint8Array;
declare const text: string;
declare const messages: Message[];
declare const logits: Float32Array[];
declare const row: LabelledIds;
declare function green(text: string): string;
declare const ids: number[];
declare const source: Source;
declare const config: RawConfig;
declare const lengths: number[];
declare const ops: typeof import("lorikeet/ops");
declare const tape: Tape;
declare const batch: LabelledSequences;
declare const x: Value;
declare const step: number;
declare function write(text: string): void;
`;

/** Examples in the doc comments of a file. */
function examplesOf(file: string, source: ts.SourceFile): Example[] {
  const text = source.getFullText();
  return Array.from(text.matchAll(/^([ \t]*)\/\*\*[\s\S]*?\*\//gm)).flatMap((comment) =>
    Array.from(comment[0].matchAll(/@example[ \t]*\n([\s\S]*?)(?=\n[ \t]*\*[ \t]*@|\*\/)/g), (found) => {
      const line = text.slice(0, comment.index! + found.index!).split("\n").length;
      return { file, line, code: found[1]!.replaceAll(/^[ \t]*\* ?/gm, "").replaceAll(/^```.*$/gm, "") };
    }),
  );
}

/** Exported names of src/ and the file that declares each. The public face goes first where a name occurs twice. */
function exportedNames(): Map<string, string> {
  const found = new Map<string, string>();
  for (const statement of sources.get("index.ts")!.statements) {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause))
      continue;
    const from = (statement.moduleSpecifier as ts.StringLiteral).text;
    if (!from.startsWith("./")) continue;
    for (const { name, propertyName } of statement.exportClause.elements) {
      if (propertyName === undefined) found.set(name.text, from.slice(2));
    }
  }
  for (const [file, source] of sources) {
    if (file.endsWith(".generated.ts")) continue;
    for (const statement of source.statements) {
      const exported =
        ts.canHaveModifiers(statement) &&
        ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
      if (!exported) continue;
      const names = ts.isVariableStatement(statement)
        ? statement.declarationList.declarations.map(({ name }) => name.getText())
        : "name" in statement && statement.name
          ? [(statement.name as ts.Identifier).text]
          : [];
      for (const name of names) if (!found.has(name)) found.set(name, file);
    }
  }
  found.set("openRun", "runtime/node.ts");
  found.set("openHub", "runtime/node.ts");
  return found;
}

const exported = exportedNames();
const all = [...sources].flatMap(([file, source]) => examplesOf(file, source));

/** The example as a module beside its file, with the names that it uses imported. */
function moduleOf({ file, code }: Example): string {
  const own = Array.from(code.matchAll(/^import \{([^}]*)\}/gm)).flatMap(([, names]) =>
    names!.split(",").map((name) => name.trim()),
  );
  const from = dirname(join("src", file));
  const declared = new Set(
    Array.from(
      code.matchAll(/\b(?:const|let|using|function|class)\s+(?:\{([^}]*)\}|\[([^\]]*)\]|([A-Za-z_$][\w$]*))/g),
    ).flatMap(([, object, list, name]) =>
      name
        ? [name]
        : (object ?? list ?? "").split(",").map((part) =>
            part
              .split(":")
              .pop()!
              .trim()
              .replace(/\s*=.*$/, ""),
          ),
    ),
  );
  for (const [, name] of code.matchAll(/^import \* as (\w+)/gm)) declared.add(name!);
  const prelude = ambient
    .split("\n")
    .filter((line) => !declared.has(/^declare (?:const|function) (\w+)/.exec(line)?.[1] ?? ""))
    .join("\n");
  const used = new Set(`${code}\n${prelude}`.match(/[A-Za-z_$][\w$]*/g));
  const imports = [...used]
    .filter((name) => exported.has(name) && !declared.has(name) && !own.includes(name))
    .filter((name) => !new RegExp(`^declare (const|function) ${name}\\b`, "m").test(prelude))
    .map((name) => {
      const path = relative(from, join("src", exported.get(name)!)).replaceAll("\\", "/");
      return `import { ${name} } from "${path.startsWith(".") ? path : `./${path}`}";`;
    });
  return `${imports.join("\n")}\n${prelude}\n${code}\nexport {};\n`;
}

test("there are examples, and every one of them compiles", () => {
  expect(all.length).toBeGreaterThan(30);
  const modules = new Map(
    all.map((example) => [
      join(root, "src", dirname(example.file), `example-${example.line}-${example.file.split("/").pop()}`),
      example,
    ]),
  );
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options: given } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const options = {
    ...given,
    paths: { lorikeet: [join(root, "src/index.ts")], "lorikeet/*": [join(root, "src/*.ts")] },
  };
  const host = ts.createCompilerHost({ ...options, noUnusedLocals: false, noUnusedParameters: false });
  const { getSourceFile, fileExists, readFile } = host;
  const overlay = (path: string) => modules.get(join(path));
  host.fileExists = (path) => overlay(path) !== undefined || fileExists(path);
  host.readFile = (path) => {
    const example = overlay(path);
    return example ? moduleOf(example) : readFile(path);
  };
  host.getSourceFile = (path, version, ...rest) => {
    const example = overlay(path);
    return example
      ? ts.createSourceFile(path, moduleOf(example), version, true)
      : getSourceFile(path, version, ...rest);
  };
  const program = ts.createProgram(
    [...modules.keys()],
    { ...options, noUnusedLocals: false, noUnusedParameters: false, verbatimModuleSyntax: false },
    host,
  );
  const wrong = [...modules].flatMap(([path, { file, line }]) => {
    const source = program.getSourceFile(path)!;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `src/${file}:${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
  });
  expect(wrong).toEqual([]);
});
