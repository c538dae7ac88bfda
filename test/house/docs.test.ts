import { existsSync } from "node:fs";
import { join } from "node:path/posix";
import type { Command } from "commander";
import ts from "typescript";
import { expect, test } from "vitest";
import { command as data } from "../../src/cli/commands/data.ts";
import { command as evaluate } from "../../src/cli/commands/eval.ts";
import { command as generate } from "../../src/cli/commands/generate.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { command as merge } from "../../src/cli/commands/merge.ts";
import { command as methods } from "../../src/cli/commands/methods.ts";
import { methodsPage } from "../../src/cli/commands/methods-page.ts";
import { command as models } from "../../src/cli/commands/models.ts";
import { command as predict } from "../../src/cli/commands/predict.ts";
import { command as settings } from "../../src/cli/commands/settings.ts";
import { settingsPage } from "../../src/cli/commands/settings-page.ts";
import { trainCommand } from "../../src/cli/commands/train.ts";
import { methodAsked, methodOrNull } from "../../src/cli/method-options.ts";
import { filesBelow, read, root } from "./source.ts";

const { command: bench }: { command: Command } = await import(new URL("../../bench/command.js", import.meta.url).href);

const manifest = JSON.parse(read("package.json")) as { version: string; scripts: Record<string, string> };
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
for (const folder of ["docs", "examples"]) {
  pages.push(
    ...filesBelow(folder)
      .filter((file) => file.endsWith(".md"))
      .map((file) => `${folder}/${file}`),
  );
}

/** Flags that scripts and people rely on: removing or renaming one breaks them. */
const contract = {
  train: `--model --data --valid --output --adapter-config --method --r --lora-alpha --lora-dropout --target-modules
    --init-adapter --steps --epochs --batch-size --grad-accum --max-length --learning-rate --lr-scheduler --warmup-steps
    --weight-decay --max-grad-norm --dropout --seed --no-shuffle --eval-steps --save-steps --resume --config --threads
    --build --log-format --columns --valid-split --labels --labels-cut --preview`,
  generate: "--model --adapter --prompt --max-new-tokens --temperature --top-k --top-p --seed",
  eval: "--model --adapter --data --json",
  predict: "--model --adapter --data --output",
  merge: "--model --adapter --combine --output --safe",
  inspect: `--adapter-config --grouped --json --plan --method --r --weights --batch-size --max-length --max-target-length
    --gradient-checkpointing --threads --build`,
  methods: "--json",
  models: "--json",
  settings: "--json --markdown",
  "data preview": `--model --data --valid --valid-split --columns --labels --task --rows --html --max-length --max-target-length
    --labels-cut --seed`,
  "bench step": "--shape --tokens --batch --data --weights --method --r --threads --build --json",
  "bench decode": "--shape --tokens --weights --threads --build --json",
  "bench start": "--shape --tokens --batch --threads --build --json",
  "bench suite": "--short --threads --build --json",
};

const commands = [generate, data, evaluate, predict, merge, methods, models, settings, bench];
const commandsOfMethod = { train: trainCommand, inspect: inspectCommand };
/** A command as it is with these words behind it, which may name a method. */
const find = async (path: string, words: readonly string[] = []) => {
  const [name, sub] = path.split(" ");
  if (name === "train" || name === "inspect") {
    const method = await methodAsked(words);
    return commandsOfMethod[name]({ name: method, method: await methodOrNull(method) });
  }
  const command = commands.find((c) => c.name() === name)!;
  return sub === undefined ? command : command.commands.find((c) => c.name() === sub)!;
};

test.each(Object.entries(contract))("lorikeet %s has the flags of the contract", async (path, flags) => {
  const known = (await find(path)).options.map((option) => option.long);
  expect(flags.split(/\s+/).filter((flag) => !known.includes(flag))).toEqual([]);
});

/** Flags of one command line, and the command they are given to. */
async function* commandLines(
  page: string,
): AsyncIterable<{ path: string; flags: string[]; words: string[]; line: string }> {
  for (const [line, path, rest] of read(page)
    .replaceAll("\\\n", " ")
    .matchAll(/^.*?\blorikeet ((?:bench|data) [a-z]+|[a-z]+)((?: +[^\n`]*)?)/gm)) {
    if (!(await find(path!))) continue;
    const words = rest!.trim().split(/\s+/);
    yield {
      words,
      path: path!,
      flags: Array.from(rest!.matchAll(/(?:^|\s)(--[a-z-]+)/g), ([, flag]) => flag!),
      line,
    };
  }
}

test("every command line in the documents has flags that exist", async () => {
  let seen = 0;
  for (const page of pages) {
    for await (const { path, flags, words, line } of commandLines(page)) {
      const known = [...(await find(path, words)).options.map((option) => option.long), "--help"];
      for (const flag of flags) expect(known, `${page}: ${line}`).toContain(flag);
      seen += flags.length;
    }
  }
  expect(seen).toBeGreaterThan(5);
});

test("every npm script in the documents exists, and every script's file", () => {
  const named = pages.flatMap((page) =>
    Array.from(read(page).matchAll(/npm (?:run ([\w:-]+)|(test))/g), ([, run, word]) => run ?? word!),
  );
  expect(named).toContain("demo");
  expect(named.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
  const files = Object.values(manifest.scripts).flatMap((script) =>
    Array.from(script.matchAll(/node (?:--[\w-]+ )*([\w./-]+)/g), ([, file]) => file!),
  );
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

test("relative links in the documents lead to files", () => {
  const dead = pages.flatMap((page) =>
    Array.from(read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g), ([, to]) => join(page, "..", to!))
      .filter((to) => !existsSync(join(root, to)))
      .map((to) => `${page}: ${to}`),
  );
  expect(dead).toEqual([]);
});

test("the changelog has the version of the manifest", () => {
  expect(read("CHANGELOG.md")).toMatch(new RegExp(`^## \\[?${manifest.version.replaceAll(".", "\\.")}\\b`, "m"));
});

test("no placeholder is left in the documents", () => {
  expect(pages.filter((page) => /@@\w+@@|\bTODO\b|\bFIXME\b/.test(read(page)))).toEqual([]);
});

/** Public names by file, as the compiler sees them. */
function publicNames(entry: string): ts.Symbol[] {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([join(root, entry)], options);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, entry))!)!;
  return checker.getExportsOfModule(module).map((symbol) => {
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  });
}

test("every public name has a doc comment", () => {
  const documented = (symbol: ts.Symbol) =>
    symbol.getDeclarations()?.some((declaration) => {
      const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
      return ts.getJSDocCommentsAndTags(statement).length > 0;
    });
  const names = ["index", "composition", "image", "ops", "worker"].flatMap((face) => publicNames(`src/${face}.ts`));
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((symbol) => !documented(symbol)).map((symbol) => symbol.name)).toEqual([]);
});

test("docs/methods.md is what the method files say", async () => {
  expect(read("docs/methods.md"), "run: npx lorikeet methods --markdown > docs/methods.md").toBe(await methodsPage());
});

test("docs/training-settings.md is what the declarations say", () => {
  const remedy = "run: npx lorikeet settings --markdown > docs/training-settings.md";
  expect(read("docs/training-settings.md"), remedy).toBe(settingsPage());
});
