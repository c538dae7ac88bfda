/** The package as npm publishes it, in an empty folder: the first commands of README.md run there. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { finish, root, workFolder } from "../cli/bed.ts";

const work = workFolder();
const home = join(work, "node_modules/lorikeet");
const readme = readFileSync(join(root, "README.md"), "utf8");

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}
let packed: Packed;

/** Installs what npm packs, with the dependencies that are here. */
beforeAll(() => {
  mkdirSync(home, { recursive: true });
  const npm = spawnSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", work], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  packed = (JSON.parse(npm.stdout) as Packed[])[0]!;
  const tar = spawnSync("tar", ["-xzf", join(work, packed.filename), "-C", home, "--strip-components=1"]);
  expect({ status: tar.status, stderr: String(tar.stderr) }).toEqual({ status: 0, stderr: "" });
  const { dependencies } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  mkdirSync(join(home, "node_modules/@assemblyscript"), { recursive: true });
  for (const name of Object.keys(dependencies))
    symlinkSync(join(root, "node_modules", name), join(home, "node_modules", name));
  mkdirSync(join(work, "node_modules/.bin"));
  symlinkSync("../lorikeet/dist/cli/main.js", join(work, "node_modules/.bin/lorikeet"));
}, 120_000);

/** Runs a shell line of README.md there. */
const run = async (line: string) => finish(spawn("sh", ["-e", "-c", line], { cwd: work }));

test("the first command of README.md runs in an empty folder", async () => {
  expect(readme).toContain("\nnpx lorikeet demo\n");
  const demo = await run("npx --no-install lorikeet demo --short");
  expect({ code: demo.code, stderr: demo.stderr }).toEqual({ code: 0, stderr: "" });
  expect(demo.stdout).toMatch(/perplexity on unseen sonnets: .* before, .* after/);
}, 120_000);

test("so do the next ones, with the model and the data of the package", async () => {
  const [, copy] = /`(cp -r [^`]+)`/.exec(readme)!;
  const [, train] = /```sh\n(npx lorikeet train .*)\n```/.exec(readme)!;
  const short = train!.replace("npx", "npx --no-install").replace(/--steps \d+/, "--steps 2");
  expect(await run(`${copy} && ${short}`)).toMatchObject({ code: 0, stderr: "" });
  expect(existsSync(join(work, "runs/sonnets/adapter/adapter_config.json"))).toBe(true);
  expect(await run("node examples/programs/streaming.mjs")).toMatchObject({ code: 0, stderr: "" });
}, 120_000);

test("every file that README.md links to is in the package, which stays below 4 MB", () => {
  const links = Array.from(readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g), ([, to]) => to!);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((to) => !existsSync(join(home, to)))).toEqual([]);
  expect(packed.size).toBeLessThan(4e6);
  expect(packed.files.filter(({ path }) => /\.env|\.npmrc|node_modules|^src\/|^test\//.test(path))).toEqual([]);
});
