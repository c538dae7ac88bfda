/** The programs of examples/programs, as a user runs them: that they stay short, and that they print what their page shows. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { finish, root, workFolder } from "../cli/bed.ts";
import { sampled } from "../matrix.ts";

const folder = join(root, "examples/programs");
const page = readFileSync(join(folder, "README.md"), "utf8");
const files = readdirSync(folder).filter((file) => file.endsWith(".mjs"));
const programs = files.filter((file) => file !== "function.mjs"); // bundle.mjs runs it

const work = workFolder();
symlinkSync(join(root, "examples"), join(work, "examples"));

test("there are nine programs of less than forty lines, which begin with what they show", () => {
  expect(programs).toHaveLength(9);
  for (const file of files) {
    const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
    expect(lines[0], file).toMatch(/^\/\/ [A-Z].*\.$/);
    expect(lines.length, file).toBeLessThan(40);
    if (programs.includes(file)) expect(page).toContain(`| [${file}](${file}) | ${lines[0]!.slice(3)} |`);
  }
});

/** What is the same for every build of the kernels: words, but neither figures nor what the model writes. */
function words(output: string): string[] {
  const lines = output.trimEnd().split("\n");
  return lines.map((line) => line.replace(/(?<=Shall I|It was a|\d =).*/, "").replaceAll(/\d[\d.]*/g, "#"));
}

/** A short one, and the one that bundles. */
const PART = ["own-dataset.mjs", "bundle.mjs"];
/** Two at a time take half as long. */
const halves = [0, 1].map((half) => sampled(programs, PART).filter((_, i) => i % 2 === half));

test("each prints what its page shows", async () => {
  const run = async (file: string) => {
    const child = spawn(process.execPath, [join(folder, file)], { cwd: work, timeout: 120_000 });
    const { code, stdout, stderr } = await finish(child);
    const [, shown] = new RegExp(`\n## ${file}\n\n\`\`\`text\n([^]*?)\`\`\``).exec(page)!;
    const complaints = stderr.split("\n").filter((line) => !/^"score.weight" not in folder|^$/.test(line));
    expect({ file, code, complaints, prints: words(stdout) }).toEqual({
      file,
      code: 0,
      complaints: [],
      prints: words(shown!),
    });
  };
  await Promise.all(
    halves.map(async (half) => {
      for (const file of half) await run(file);
    }),
  );
}, 600_000);
