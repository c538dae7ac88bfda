import { dirname } from "node:path/posix";
import ts from "typescript";
import { expect, test } from "vitest";
import { importsOf, resolved, sources } from "./source.ts";

/**
 * What each folder may import, besides itself. Anything not named is forbidden. `#host` is the file of runtime/ that the
 * manifest's conditions choose: the one way to a platform, taken by what compiles kernels and what opens folders.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  kernels: [],
  wasm: ["core", "kernels", "#host"],
  runtime: ["core", "kernels", "hub"],
  checkpoint: ["core", "#host"],
  hub: ["core", "checkpoint"],
  tensor: ["core", "wasm"],
  text: ["core", "checkpoint", "jinja", "tokenizers"],
  tokenizers: ["core"],
  jinja: ["core"],
  tape: ["core", "wasm", "tensor"],
  image: ["core"],
  metrics: ["core"],
  data: ["core", "checkpoint", "text", "image", "tasks"],
  ops: ["core", "wasm", "tensor", "tape"],
  optim: ["core", "wasm", "tensor"],
  nn: ["core", "checkpoint", "wasm", "tensor", "tape", "ops"],
  models: ["core", "wasm", "tensor", "tape", "ops", "nn"],
  adapt: ["core", "checkpoint", "wasm", "tensor", "tape", "ops", "nn", "generate", "methods/index.generated.ts"],
  methods: ["core", "wasm", "tensor", "tape", "ops", "nn", "adapt/method"],
  generate: ["core", "wasm", "tape", "nn"],
  tasks: ["core", "text", "image", "metrics", "nn", "generate"],
  train: ["core", "checkpoint", "wasm", "tensor", "tape", "optim", "data", "metrics", "nn"],
  remote: ["core", "#host"],
  pipelines: ["core", "checkpoint", "tape", "nn", "adapt", "text", "tokenizers", "image", "generate", "auto"],
  auto: ["core", "checkpoint", "wasm", "nn", "generate", "tasks", "text", "adapt", "models/index.generated.ts"],
};
/** These put the parts together, so they may import any folder but each other. */
const faces = ["index.ts", "composition.ts", "image.ts", "ops.ts", "types.ts", "worker.ts", "cli"];

const folderOf = (file: string) => file.split("/")[0]!;

/** "a imports b" for each import that leaves its folder, with b as the table names it. */
function crossings(): { file: string; to: string }[] {
  return [...sources].flatMap(([file, source]) =>
    importsOf(source)
      .filter(({ specifier }) => specifier.startsWith(".") || specifier.startsWith("#"))
      .map(({ specifier }) => ({ file, to: specifier.startsWith("#") ? specifier : resolved(file, specifier) }))
      .filter(({ to }) => folderOf(to) !== folderOf(file)),
  );
}

test("imports go where the table of folders allows, and nowhere else", () => {
  const allowed = ({ file, to }: { file: string; to: string }) => {
    const folder = folderOf(file);
    if (file === "index.ts" && to === "types.ts") return true; // types that signatures name
    if (file === "worker.ts" && to === "index.ts") return true; // it offers the others' exports in another thread
    if (faces.includes(folder)) return !faces.includes(folderOf(to));
    return [to, dirname(to), folderOf(to)].some((name) => mayImport[folder]?.includes(name));
  };
  const found = crossings();
  expect(found.length).toBeGreaterThan(100);
  expect(found.filter((crossing) => !allowed(crossing)).map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

test("every folder has its line in the table, and every line its folder", () => {
  const folders = new Set([...sources.keys()].map(folderOf));
  expect([...Object.keys(mayImport), ...faces].sort()).toEqual([...folders].sort());
});

test("models and methods know nothing of each other, and the trainer neither", () => {
  const meeting = crossings().filter(({ file, to }) => {
    const [from, into] = [folderOf(file), folderOf(to)];
    return ["models", "methods", "train"].includes(from) && ["models", "methods"].includes(into);
  });
  expect(meeting).toEqual([]);
});

test("no file imports itself by way of others; the listings import lazily", () => {
  const runtime = [...sources.keys()].filter((file) => /^runtime\/(node|browser|workerd)\.ts$/.test(file));
  expect(runtime).toHaveLength(3);
  const arrows = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const to = importsOf(source)
      .filter(({ atOnce }) => atOnce)
      .flatMap(({ specifier }) => {
        if (specifier === "#host") return runtime;
        return specifier.startsWith(".") ? [resolved(file, specifier)] : [];
      });
    arrows.set(
      file,
      to.filter((each) => sources.has(each)),
    );
  }
  const next = (file: string) => arrows.get(file)!;
  expect([...sources.keys()].map((file) => cycleFrom(file, next)).filter((cycle) => cycle !== null)).toEqual([]);
});

/** The shortest way from a file back to it, or null. */
function cycleFrom(file: string, next: (file: string) => string[]): string | null {
  const from = new Map<string, string>();
  const queue = [file];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const to of next(at)) {
      if (to === file) return `${trail(from, at, file)} -> ${file}`;
      if (from.has(to)) continue;
      from.set(to, at);
      queue.push(to);
    }
  }
  return null;
}

function trail(from: ReadonlyMap<string, string>, at: string, start: string): string {
  return at === start ? at : `${trail(from, from.get(at)!, start)} -> ${at}`;
}

test("only the places that are listed import on demand: listings, kernels, and what async functions alone reach", () => {
  const lazy = [...sources]
    .filter(([, source]) => importsOf(source).some(({ atOnce }) => !atOnce))
    .map(([file]) => file)
    .filter((file) => !file.startsWith("tasks/")); // models' classes, metrics
  expect(lazy).toEqual([
    "adapt/peft-model.ts", // adapters in folders
    "auto/auto-classes.ts", // models
    "auto/auto-config.ts",
    "auto/auto-model.ts", // checkpoints of quantized models
    "auto/auto-peft-classes.ts", // models with adapters
    "checkpoint/checkpoint.ts", // files of torch.save
    "cli/commands/predict.ts", // writer of tables
    "data/files/parquet-records.ts", // parsers
    "data/files/table-records.ts",
    "data/load-dataset.ts", // tasks, and readers of files
    "generate/load-generate.ts",
    "hub/open-hub.ts",
    "image/load-image.ts", // decoders
    "kernels/bundled.ts",
    "methods/index.generated.ts",
    "models/index.generated.ts",
    "nn/tensors/save-model.ts", // files of tensors
    "pipelines/pipeline.ts",
    "runtime/dot-build.ts",
    "runtime/node.ts",
    "runtime/wide-build.ts", // the hub's cache, and zlib
    "text/auto-tokenizer.ts",
    "train/advice/load-chosen-settings.ts", // what the command line says of a run
    "train/advice/load-diagnosis.ts",
    "train/evaluation/evaluate.ts",
    "train/evaluation/run-evaluation.ts", // tasks and their metrics
    "train/profiler.ts", // its report
    "train/trainer.ts", // checkpoints
    "wasm/engine.ts", // several memories
    "worker.ts", // the library, in the worker
  ]);
});

test("only runtime/ and cli/ import from the platform", () => {
  const reaching = [...sources]
    .filter(([, source]) => importsOf(source).some(({ specifier }) => specifier.startsWith("node:")))
    .map(([file]) => file);
  expect(reaching.filter((file) => !["runtime", "cli"].includes(folderOf(file)))).toEqual([]);
  expect(reaching.length).toBeGreaterThan(0);
});

/** Names that only some hosts have. */
const hostGlobals = new Set([
  ...["process", "Buffer", "require", "global", "__dirname", "__filename", "setImmediate"],
  ...["window", "document", "self", "location", "localStorage", "navigator", "Deno", "Bun", "importScripts"],
]);

test("outside runtime/ and cli/ nobody uses a global that only some hosts have", () => {
  const found: string[] = [];
  for (const [file, source] of sources) {
    if (["runtime", "cli"].includes(folderOf(file))) continue;
    const names = identifiersOf(source);
    for (const name of names.used)
      if (hostGlobals.has(name) && !names.declared.has(name)) found.push(`${file}: ${name}`);
  }
  expect(found).toEqual([]);
});

/** Names that a file reads, members of objects aside, and names that it declares. */
function identifiersOf(source: ts.SourceFile): { used: Set<string>; declared: Set<string> } {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const member = ts.isPropertyAccessExpression(parent) && parent.name === node;
      const declares = "name" in parent && parent.name === node && !member;
      if (declares) declared.add(node.text);
      else if (!member) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { used, declared };
}

test("outside cli/ nobody asks where its file lies, for the build puts many into one", () => {
  const asks = (node: ts.Node): boolean => ts.isMetaProperty(node) || (ts.forEachChild(node, asks) ?? false);
  const found = [...sources].filter(([file, source]) => folderOf(file) !== "cli" && asks(source));
  expect(found.map(([file]) => file)).toEqual(["worker.ts"]); // its own file in dist/, which another thread loads
});

test("loading a module of the library only declares: no statement runs, nothing is awaited", () => {
  const found: string[] = [];
  for (const [file, source] of sources) {
    if (folderOf(file) === "cli") continue;
    for (const statement of source.statements) {
      if (!declares(statement) || awaits(statement)) found.push(`${file}: ${statement.getText().slice(0, 60)}`);
    }
  }
  expect(found).toEqual([]);
});

function declares(statement: ts.Statement): boolean {
  return (
    ts.isImportDeclaration(statement) ||
    ts.isExportDeclaration(statement) ||
    ts.isVariableStatement(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  );
}

/** Whether `await` stands outside any function. */
function awaits(node: ts.Node): boolean {
  if (ts.isAwaitExpression(node)) return true;
  if (ts.isFunctionLike(node)) return false;
  return ts.forEachChild(node, awaits) ?? false;
}
