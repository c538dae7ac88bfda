/**
 * Adding a task, a model or a method is adding a file. The package with three files more, and nothing else changed, passes the
 * type checker, trains through its public face and trains by the command line.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeListings } from "../../scripts/listings.mjs";
import { tasks } from "../../src/core/task.ts";
import { taskDefinitions } from "../../src/tasks/index.generated.ts";
import { filesBelow, read, root, sources } from "./source.ts";

const ADDED = ["methods/toy_shift.ts", "models/toynet.ts", "tasks/toy_volume.ts"];
let folder: string;

beforeAll(async () => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/additions-")); // below the project, so that its packages are found
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  for (const file of ADDED) cpSync(join(root, "test/house/additions", file), join(folder, "src", file));
  cpSync(join(root, "test/house/additions/train.ts"), join(folder, "train.ts"));
  writeFileSync(join(folder, "package.json"), manifest());
  writeListings(join(folder, "src"));
  await build({
    ...{ entryPoints: { train: join(folder, "train.ts"), "cli/main": join(folder, "src/cli/main.ts") } },
    ...{ outdir: join(folder, "dist"), bundle: true, splitting: true, packages: "external", logLevel: "error" },
    ...{ platform: "node", format: "esm", target: "node20", conditions: ["source"] },
  });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The manifest, whose `#host` is the copy's. */
function manifest(): string {
  const { name, version, type, imports } = JSON.parse(read("package.json"));
  return JSON.stringify({ name, version, type, imports });
}

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  expect(stderr + stdout).not.toContain("error:");
  expect(status, stderr).toBe(0);
  return stdout;
}

test("nothing but the three files is written: all else is a copy, or a listing", () => {
  const own = new Set(filesBelow("src"));
  const copied = filesBelow(join(folder.slice(root.length), "src"));
  expect(copied.filter((file) => !own.has(file))).toEqual(ADDED);
  const differing = copied.filter(
    (file) => own.has(file) && read(`src/${file}`) !== readFileSync(join(folder, "src", file), "utf8"),
  );
  expect(differing).toEqual([
    "core/task-names.generated.ts",
    "methods/exports.generated.ts",
    "methods/index.generated.ts",
    "models/index.generated.ts",
    "tasks/index.generated.ts",
  ]);
});

test("its types fit", () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const files = [...ADDED.map((file) => join(folder, "src", file)), join(folder, "train.ts")];
  const program = ts.createProgram(files, options);
  const found = files.flatMap((file) => [
    ...program.getSyntacticDiagnostics(program.getSourceFile(file)),
    ...program.getSemanticDiagnostics(program.getSourceFile(file)),
  ]);
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([]);
});

interface Evaluated {
  readonly loss: number;
  readonly metrics: Record<string, number>;
}

test("the toys train, save, load and merge through the public face", () => {
  const told: Record<string, Evaluated> = JSON.parse(run("dist/train.js", folder));
  const { before, trained, adapted, reloaded, merged } = told as Record<string, Evaluated> & { before: Evaluated };
  expect(trained!.loss).toBeLessThan(0.5 * before.loss);
  expect(adapted!.loss).toBeLessThan(trained!.loss);
  expect(reloaded).toMatchObject({ loss: adapted!.loss, metrics: adapted!.metrics });
  expect(merged!.loss).toBeCloseTo(adapted!.loss, 6);
  expect(adapted!.metrics.mse).toBeCloseTo(adapted!.loss, 6);
});

test("the command line lists them, trains, evaluates and predicts", () => {
  const cli = (...args: string[]) => run("dist/cli/main.js", ...args);
  expect(cli("models")).toContain("toynet");
  expect(cli("methods")).toContain("toy_shift");
  const data = ["--model", "base", "--data", "basins.jsonl"];
  const settings = ["--steps", "4", "--learning-rate", "0.05", "--dropout", "0"];
  const told = cli("train", ...data, "--output", "run", "--method", "toy_shift", "--shift-scale", "3", ...settings);
  expect(told).toContain("ToyNetForVolume");
  const adapter = ["--adapter", "run/adapter"];
  expect(JSON.parse(cli("eval", ...data, ...adapter, "--json"))).toMatchObject({ rows: 6, mse: expect.any(Number) });
  cli("predict", ...data, ...adapter, "--output", "volumes.jsonl");
  const lines = readFileSync(join(folder, "volumes.jsonl"), "utf8").trim().split("\n");
  expect(lines.map((line) => typeof JSON.parse(line).volume)).toEqual(Array(6).fill("number"));
});

test("a task is named in its file, in its Auto classes, in its pipeline, and nowhere else", () => {
  const named = (task: string) =>
    [...sources.keys()].filter((file) => new RegExp(`\\b${task}\\b`).test(read(`src/${file}`)));
  const listings = ["core/task-names.generated.ts", "tasks/index.generated.ts"];
  const elsewhere: Record<string, string[]> = {
    CAUSAL_LM: ["cli/commands/methods-page.ts", "data/examples.ts", "data/prompts.ts"], // the model that counts are of, and the default
    SEQ_CLS: ["data/load-dataset.ts"], // an example of how to call it
    TOKEN_CLS: [],
  };
  for (const task of tasks) {
    const own = `tasks/${task.toLowerCase()}.ts`;
    const allowed = [
      own,
      "auto/auto-classes.ts",
      "auto/auto-peft-classes.ts",
      "pipelines/make-pipeline.ts",
      ...listings,
      ...(elsewhere[task] ?? []),
    ];
    expect(
      named(task).filter((file) => !allowed.includes(file)),
      task,
    ).toEqual([]);
    expect(taskDefinitions[task].name).toBe(task);
    expect(read("src/auto/auto-classes.ts"), task).toContain(`${taskDefinitions[task].auto}: AutoModelClass`);
  }
});
