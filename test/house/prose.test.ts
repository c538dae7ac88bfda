/** Prose is plain American English: documents, comments and messages avoid the phrases listed here. */
import ts from "typescript";
import { expect, test } from "vitest";
import { filesBelow, read } from "./source.ts";

/** What must not appear, and the wording to use instead. */
const phrases: readonly [found: RegExp, instead: string][] = [
  [/\b\w*(?<![Pp]rom|[Pp]rec|[Cc]onc|\b[rR]|[Rr]a|[Nn]o|[Aa]r|[Ww])is(?:ation|ations)\b/, "-ization"],
  [
    /\b(?:de|re|un)?(?:quant|optim|normal|initial|factor|regular|stabil|serial|penal|diagonal|orthogonal|general)is(?:e|ed|er|ers|es|ing)\b/i,
    "-ize",
  ],
  [/\b(?:token|recogn|organ|real|summar|minim|maxim|special|modern)is(?:e|ed|er|ers|es|ing)\b/i, "-ize"],
  [/\b(?:behaviour|colour|neighbour|favour|honour)(?:s|ed|ing|able)?\b/i, "-or: behavior, color, neighbor"],
  [/\b(?:un)?(?:label|travel|cancel|model)(?:led|ling)\b/i, "-eled, -eling: labeled, traveled"],
  [
    /\b(?:grey|centre|centres|centred|learnt|misspelt|catalogue|programme)\b/i,
    "gray, center, learned, misspelled, catalog, program",
  ],
  [
    /(?<!\bthere )\bis no (?:name|number|tensor|linear|layer|list|dict|function|folder|file|dependency|pickle|object)\b/,
    "is not a ...",
  ],
  [/\b(?:is|are|be|been) told\b(?! apart)/, "receives, is given, is reported"],
  [/\bunless told otherwise\b/, "by default"],
  [/\b(?:Told|Tells) (?:of|before)\b/, "Receives ..., Reports ..."],
  [
    /\bof (?:its|their|one's|our) own(?=[.,;:)]|$| (?:so|and|or|for|in|that|which|before|after|to|by|on|is|was|has|with|without)\b)/,
    "its own ..., separate",
  ],
  [/\bby (?:itself|themselves)\b/, "alone, separately, automatically"],
  [/\bas it (?:comes|stands)\b/, "unchanged, stock"],
  [/\bgo(?:es)? on (?:with|training|exactly|from)\b/, "continue with, resume from"],
  [/\bwhat there is\b/, "everything, the existing ..."],
  [/\bis cut short\b/, "is truncated"],
  [/\b(?:was|were|is|are) asked for\b/, "was requested"],
  [/\b(?:stands?|lies?) (?:beside|behind)\b/, "is next to, follows"],
  [/\bin the place of\b/, "instead of, replaces"],
  [/\bput(?:s|ting)? back\b/, "restores"],
];

const code = ["src", "assembly", "bench", "examples", "scripts"];
const documents = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "examples", "assembly"];

/** Text with the line that it starts in. */
interface Prose {
  readonly text: string;
  readonly line: number;
}

/** Documents without code blocks, inline code, and references to files. */
function proseOfDocument(text: string): Prose[] {
  const plain = text.replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, " ")).replace(/`[^`\n]*`/g, "");
  return plain.split("\n").map((line, i) => ({ text: line, line: i + 1 }));
}

/** Comments, and strings of several words. */
function proseOfCode(file: string): Prose[] {
  const text = read(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Prose[] = [];
  const comments = new Map<number, number>();
  const add = (start: number, end: number): void => {
    const plain = text.slice(start, end).replace(/`[^`\n]*`/g, (quoted) => (/ /.test(quoted) ? quoted : ""));
    found.push({
      text: plain.replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, " "),
      line: source.getLineAndCharacterOfPosition(start).line + 1,
    });
  };
  const visit = (node: ts.Node): void => {
    for (const ranges of [ts.getLeadingCommentRanges(text, node.pos), ts.getTrailingCommentRanges(text, node.end)]) {
      for (const { pos, end } of ranges ?? []) comments.set(pos, end);
    }
    const isText =
      ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateExpression(node);
    if (isText && / /.test(node.getText(source))) add(node.getStart(source), node.end);
    else ts.forEachChild(node, visit);
  };
  visit(source);
  for (const [pos, end] of comments) add(pos, end);
  return found;
}

function proseOf(file: string): Prose[] {
  return file.endsWith(".md") ? proseOfDocument(read(file)) : proseOfCode(file);
}

/** Phrases in a text, with the wording to use. */
function faults({ text }: Prose): string[] {
  return phrases.flatMap(([found, instead]) => {
    const match = found.exec(text);
    return match ? [`"${match[0]}": write ${instead}`] : [];
  });
}

const listed = (folder: string, endings: RegExp): string[] =>
  folder.endsWith(".md")
    ? [folder]
    : filesBelow(folder)
        .map((file) => `${folder}/${file}`)
        .filter((file) => endings.test(file));

const files = [
  ...code.flatMap((folder) => listed(folder, /\.(?:ts|js|mjs)$/)),
  ...documents.flatMap((folder) => listed(folder, /\.md$/)),
].filter((file) => !/generated|^docs\/api\//.test(file));

test("documents, comments and messages are plain American English", () => {
  expect(files.length).toBeGreaterThan(400);
  const found = files.flatMap((file) =>
    proseOf(file).flatMap((prose) => faults(prose).map((fault) => `${file}:${prose.line}: ${fault}`)),
  );
  expect(found).toEqual([]);
});

test("the phrases are found in comments, messages and documents, and not in identifiers", () => {
  const faultsIn = (text: string) => faults({ text, line: 1 });
  expect(faultsIn("the optimiser's state")).toHaveLength(1);
  expect(faultsIn(`"x" is no number`)).toEqual(['"is no number": write is not a ...']);
  expect(faultsIn("a folder of its own")).toHaveLength(1);
  expect(faultsIn("concatenateLabelled, isQuantised, a promise, precision, the promised rise, otherwise")).toEqual([]);
  expect(proseOfDocument("`grey`\n```\ncolour\n```\nlabelled").flatMap(faults)).toHaveLength(1);
});
