/** Every code block of the documentation compiles against the published types, and runs in the order of its page. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { finish, root, workFolder } from "../cli/bed.ts";
import { filesBelow, read } from "../house/source.ts";
import { blocksOf, programOf } from "./page-program.ts";
import { smallExamples } from "./small-examples.ts";

const pages = filesBelow("docs")
  .filter((file) => file.endsWith(".md") && !file.startsWith("api/"))
  .map((file) => `docs/${file}`);
const withCode = pages
  .map((page) => ({ page, blocks: blocksOf(read(page)) }))
  .filter(({ blocks }) => blocks.some(({ language }) => ["ts", "js", "sh"].includes(language)));

/** Programs lie inside the package, so that "lorikeet" is this package, through its published exports. */
mkdirSync(join(root, "build"), { recursive: true });
const programs = mkdtempSync(join(root, "build/pages-"));
afterAll(() => rmSync(programs, { recursive: true, force: true }));

const work = workFolder();
let path = "";
beforeAll(async () => {
  path = await smallExamples(work);
});

const nameOf = (page: string) => page.replaceAll("/", "-").replace(/\.md$/, "");

test("a block that does not run says why, or installs something", () => {
  const silent = withCode.flatMap(({ page, blocks }) =>
    blocks
      .filter(({ runs, reason, code }) => !runs && reason === null && !/^(npm|bun|deno|pnpm|yarn) /.test(code))
      .map(({ line }) => `${page}:${line}`),
  );
  expect(silent).toEqual([]);
});

test("every TypeScript block type-checks against the published types", () => {
  const files = withCode.flatMap(({ page, blocks }) => {
    const main = join(programs, `${nameOf(page)}.ts`);
    writeFileSync(main, `${programOf(blocks)}\nexport {};\n`);
    // Files of the project in a walk-through are compared with the files: see walkthroughs.test.ts.
    const apart = blocks.filter(({ runs, language, code }) => !runs && language === "ts" && !/^\/\/ \w+\//.test(code));
    return [
      main,
      ...apart.map(({ code, line }) => {
        const file = join(programs, `${nameOf(page)}-${line}.ts`);
        writeFileSync(file, `${code}\nexport {};\n`);
        return file;
      }),
    ];
  });
  const strict =
    "--noEmit --strict --skipLibCheck --module nodenext --target es2022 --lib es2023,dom,dom.iterable,esnext.disposable --types node";
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [tsc, ...strict.split(" "), "--ignoreConfig", ...files], {
    cwd: programs,
    encoding: "utf8",
  });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test.each(withCode.filter(({ blocks }) => blocks.some(({ runs, language }) => runs && language !== "json")))(
  "$page runs as it is printed",
  async ({ page, blocks }) => {
    const { code } = transformSync(programOf(blocks), { loader: "ts", format: "esm", target: "node20" });
    const file = join(programs, `${nameOf(page)}.mjs`);
    writeFileSync(file, code);
    const env = { ...process.env, PATH: path };
    const ran = await finish(spawn(process.execPath, [file], { cwd: work, env }));
    expect(ran.code, ran.stderr).toBe(0); // warnings, such as of a head that starts at random, are as they should be
  },
);
