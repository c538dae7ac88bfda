/**
 * A page of the documentation as one program: its `ts` blocks in order, with its `sh` blocks run where they stand. A block
 * whose info says "no-run" is type-checked (`ts`) or left alone (`sh`); in parentheses it says why.
 */
export interface Block {
  readonly language: string;
  readonly runs: boolean;
  /** Why a block does not run, as its page gives it. */
  readonly reason: string | null;
  readonly code: string;
  readonly line: number;
}

/** Fenced blocks of a page. A fence inside a list or a container may be indented. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const open = /^(\s*)```(\S+)(.*)$/.exec(lines[i]!);
    if (!open) continue;
    const [, indent, language, info] = open;
    const from = i + 1;
    while (++i < lines.length && lines[i]!.trim() !== "```");
    const code = lines.slice(from, i).map((line) => line.slice(indent!.length));
    const reason = /no-run(?: \((.*?)\))?/.exec(info!)?.[1] ?? null;
    blocks.push({ language: language!, runs: !/\bno-run\b/.test(info!), reason, code: code.join("\n"), line: from });
  }
  return blocks;
}

/** The blocks that run, as one module. `shell` is declared before them. */
export function programOf(blocks: readonly Block[]): string {
  const imports: string[] = [];
  const body = blocks
    .filter(({ runs }) => runs)
    .flatMap(({ language, code }) => {
      if (language === "sh") return [`shell(${JSON.stringify(code)});`];
      return language === "ts" || language === "js" ? [withoutImports(code, imports)] : [];
    });
  return [...mergedImports(imports), SHELL, ...body].join("\n");
}

const SHELL = `import { spawnSync as __spawn } from "node:child_process";
function shell(script: string): void {
  const { status, stdout, stderr } = __spawn("sh", ["-e", "-c", script], { encoding: "utf8" });
  if (status !== 0) throw new Error(script + "\\nended with " + status + "\\n" + stdout + stderr);
}`;

function withoutImports(code: string, imports: string[]): string {
  return code.replace(/^import [^;]+;\n?/gm, (statement) => {
    imports.push(statement.trim());
    return "";
  });
}

/** One import statement for each module, whatever the blocks repeat. */
function mergedImports(statements: readonly string[]): string[] {
  const names = new Map<string, Set<string>>();
  const others: string[] = [];
  for (const statement of statements) {
    const named = /^import \{([^}]+)\} from ("[^"]+");$/.exec(statement);
    if (!named) {
      others.push(statement);
      continue;
    }
    const known = names.get(named[2]!) ?? new Set<string>();
    for (const name of named[1]!.split(",")) if (name.trim() !== "") known.add(name.trim());
    names.set(named[2]!, known);
  }
  const merged = Array.from(names, ([module, known]) => `import { ${[...known].sort().join(", ")} } from ${module};`);
  return [...new Set([...others, ...merged])];
}
