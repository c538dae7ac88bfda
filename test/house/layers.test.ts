/** No layer knows a name above it: what a method or a model needs of the layers below is a hook on its definition. */
import ts from "typescript";
import { expect, test } from "vitest";
import { sources } from "./source.ts";

/** Names of the files in a folder that is a listing, such as "lora" and "ln_tuning". */
function listed(folder: string): string[] {
  return [...sources.keys()]
    .filter((file) => file.startsWith(`${folder}/`) && !file.endsWith(".generated.ts"))
    .map((file) => file.slice(folder.length + 1, -".ts".length));
}

/** Folders above a listing, and the listing. Tokenizers and images have published types that are called like models. */
const above = {
  methods: ["methods", "cli", "index.ts"],
  models: ["models", "cli", "index.ts", "text", "tokenizers", "image"],
};

/** Names that are ordinary words: they count only where a string is nothing else. */
const ordinary = ["bottleneck"];

/** Files that know a name because it is what a user or a file format asks for. */
const excused: Readonly<Record<string, readonly string[]>> = {
  "adapt/peft-model.ts": ["lora"], // convertToLora, as PEFT calls it
  "adapt/method/lora-file.ts": ["lora"], // adapter configs of LoRA of all ages: a file format
  "adapt/derive/derive.ts": ["lora"], // makes what that asks for
  "optim/loraplus.ts": ["lora"], // LoRA+ is a rule about names of tensors
  "train/make-optimizer.ts": ["lora"], // the published setting loraplus_lr_ratio
  "adapt/method/rank-allocator.ts": ["lora"], // keys in rank_pattern, shared by AdaLoRA's parts alone
  "adapt/files/adapterhub-config.ts": ["bert"], // a value of init_weights
  "adapt/method/bottleneck-part.ts": ["bert"],
  "methods/bottleneck.ts": ["bert"],
};

/** Words of a file's names, strings and patterns, comments aside: "loraPlusGroups" is lora, plus, groups. */
function wordsOf(source: ts.SourceFile): Set<string> {
  const words = new Set<string>();
  const visit = (node: ts.Node): void => {
    const imports = ts.isImportDeclaration(node) || ts.isExportDeclaration(node);
    if (ts.isPropertyAssignment(node) && ["about", "help"].includes(node.name.getText())) return; // prose
    const names = ts.isIdentifier(node) || ts.isPrivateIdentifier(node) || ts.isStringLiteralLike(node);
    const patterns = ts.isRegularExpressionLiteral(node) || ts.isTemplateLiteralToken(node);
    if (names || patterns) for (const word of split(node.text)) if (!ordinary.includes(word)) words.add(word);
    if (ts.isStringLiteralLike(node)) words.add(node.text.toLowerCase());
    if (!imports) ts.forEachChild(node, visit);
  };
  visit(source);
  return words;
}

function split(text: string): string[] {
  const parts = text.split(/[^A-Za-z0-9_]+/).filter((part) => part !== "");
  const humps = parts.flatMap((part) => part.replace(/([a-z0-9])(?=[A-Z])/g, "$1 ").split(/[ _]+/));
  return [...parts, ...humps].map((part) => part.toLowerCase());
}

test("the excuses are used", () => {
  const all = [...listed("methods"), ...listed("models")];
  for (const [file, names] of Object.entries(excused)) {
    const words = wordsOf(sources.get(file)!);
    for (const name of names) expect([file, all.includes(name), words.has(name)]).toEqual([file, true, true]);
  }
});

test.each(["methods", "models"] as const)("below src/%s nobody knows the name of one", (listing) => {
  const names = listed(listing).map((name) => name.toLowerCase());
  expect(names.length).toBeGreaterThan(5);
  const found: string[] = [];
  for (const [file, source] of sources) {
    if (above[listing].includes(file.split("/")[0]!) || file.endsWith(".generated.ts") || file.includes("/generated/"))
      continue;
    const words = wordsOf(source);
    for (const name of names)
      if (words.has(name) && !excused[file]?.includes(name)) found.push(`${file} knows "${name}"`);
  }
  expect(found).toEqual([]);
});

test("models do not know how AdapterHub spells its places", () => {
  const found = [...sources].filter(([file, source]) => /^(models|nn)\//.test(file) && wordsOf(source).has("adapters"));
  expect(found.map(([file]) => file)).toEqual([]);
});
