import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { finish, jsonLines, root, succeed, workFolder } from "../cli/bed.ts";
import { smallExamples } from "../docs/small-examples.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const work = workFolder();

/** Where snippets lie: inside the package, so that "lorikeet" is this package, through its published exports. */
mkdirSync(join(root, "build"), { recursive: true });
const snippets = mkdtempSync(join(root, "build/readme-"));
afterAll(() => rmSync(snippets, { recursive: true, force: true }));

/** The first block of a language below a heading. */
function block(heading: string, language: string): string {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(section ?? "")?.[1];
  if (found === undefined) throw new Error(`README.md has no ${language} block below "## ${heading}"`);
  return found;
}

let path = "";
beforeAll(async () => {
  path = await smallExamples(work);
  symlinkSync(join(root, "dist"), join(work, "dist"));
});

test("the README's TypeScript is twenty lines at most, type-checks against the published types, and runs", async () => {
  const source = block("Twenty lines", "ts");
  expect(source.split("\n").filter((line) => line.trim() !== "").length).toBeLessThanOrEqual(20);
  const file = join(snippets, "main.ts");
  writeFileSync(file, source);
  const strict =
    "--noEmit --strict --skipLibCheck --module nodenext --target es2022 --lib es2023,dom,esnext.disposable --types node";
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const checked = spawnSync(process.execPath, [tsc, ...strict.split(" "), "--ignoreConfig", file], {
    cwd: snippets,
    encoding: "utf8",
  });
  expect(checked.stdout).toBe("");
  expect(checked.status).toBe(0);
  const { code } = transformSync(source, { loader: "ts", format: "esm", target: "node20" });
  writeFileSync(join(snippets, "main.mjs"), code);
  const ran = await finish(spawn(process.execPath, [join(snippets, "main.mjs")], { cwd: work }));
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(ran.stdout).toContain("trainable params: ");
  for (const [path] of source.matchAll(/runs\/[\w/-]+/g)) expect(existsSync(join(work, path))).toBe(true);
});

test("npx finds the command in a clone that was built", () => {
  const { status, stdout } = spawnSync("npx", ["--no-install", "lorikeet", "--version"], {
    cwd: root,
    encoding: "utf8",
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test("the README's command trains, and leaves an adapter that inspect knows", async () => {
  const script = block("One command", "sh");
  const env = { ...process.env, PATH: path };
  const { code, stderr } = await finish(spawn("sh", ["-e", "-c", script], { cwd: work, env }));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const output = /--output (\S+)/.exec(script)![1]!;
  const [found] = jsonLines(await succeed(work, "inspect", `${output}/adapter`, "--json"));
  expect(found).toMatchObject({
    kind: "adapter",
    config: { peft_type: "LORA", base_model_name_or_path: "examples/pocket" },
  });
});
