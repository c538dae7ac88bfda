/** An option is declared once: whatever else knows about it reads the declaration. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path/posix";
import type { Command } from "commander";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";
import { command as data } from "../../src/cli/commands/data.ts";
import { command as evaluate } from "../../src/cli/commands/eval.ts";
import { command as generate } from "../../src/cli/commands/generate.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { command as merge } from "../../src/cli/commands/merge.ts";
import { command as predict } from "../../src/cli/commands/predict.ts";
import { sections, settingsPage } from "../../src/cli/commands/settings-page.ts";
import { trainCommand } from "../../src/cli/commands/train.ts";
import { DeclaredFlag, hasFlag, spellAsFlags, valuesOf } from "../../src/cli/flags/options.ts";
import { applyRunFile } from "../../src/cli/flags/run-file.ts";
import { type Option, type Options, orNull, whole } from "../../src/core/options.ts";
import { lora } from "../../src/methods/lora.ts";
import { completeArguments, settings, type TrainingArguments } from "../../src/train/arguments.ts";
import { identityOfSettings } from "../../src/train/run/run-identity.ts";
import { parse } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "lorikeet-options-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What --help-all prints. */
const fullHelp = (command: Command) => {
  let text = "";
  command.exitOverride().configureOutput({ writeOut: (part) => (text += part) });
  expect(() => command.parseOptions(["--help-all"])).toThrow();
  return text.replace(/\s+/g, " ");
};

const train = () => trainCommand({ name: "lora", method: lora as never });

describe("a setting that is added to the declaration", () => {
  const toy = whole(3, 1, { help: "how many toys to train with", spelled: "toys", fixedOnResume: true });
  /** Runs `body` while the trainer has a toy setting. */
  const withToy = async (body: () => unknown) => {
    const open = settings as Record<string, Option<unknown>>;
    open.toyCount = toy;
    try {
      await body();
    } finally {
      delete open.toyCount;
    }
  };
  const toysOf = (command: Command) => valuesOf(command, settings as Options).toyCount;

  test("has a flag with its help, range and default", () =>
    withToy(() => {
      const help = fullHelp(train());
      expect(help).toContain("--toys <n> how many toys to train with (default: 3)");
      const command = train()
        .exitOverride()
        .configureOutput({ writeErr: () => {} });
      expect(toysOf(command)).toBe(3);
      command.parseOptions(["--toys", "5"]);
      expect(toysOf(command)).toBe(5);
      expect(() => command.parseOptions(["--toys", "0"])).toThrow(
        /'0' is invalid. Expected a whole number of at least 1/,
      );
    }));

  test("is a key of a --config file", () =>
    withToy(async () => {
      const command = train();
      const file = join(folder, "toy.yaml");
      writeFileSync(file, "toys: 7\n");
      await applyRunFile(command, file);
      expect(toysOf(command)).toBe(7);
      writeFileSync(file, "toys: none\n");
      await expect(applyRunFile(command, file)).rejects.toThrow(
        '"toys" is "none". Expected a whole number of at least 1.',
      );
    }));

  test("is completed and checked by the library, by its own name or by the flag's", () =>
    withToy(() => {
      const given = (toyCount: number) => ({ toyCount }) as TrainingArguments;
      expect(completeArguments({})).toMatchObject({ toyCount: 3 });
      expect(completeArguments(given(4))).toMatchObject({ toyCount: 4 });
      expect(() => completeArguments(given(0))).toThrow('"toyCount" is 0, expected a whole number of at least 1');
      expect(() => completeArguments(given(0), spellAsFlags(train()))).toThrow('"--toys" is 0, expected');
    }));

  test("must be the same in a resumed run if it says so", () =>
    withToy(() => {
      expect(identityOfSettings(completeArguments({}))).toMatchObject({ toyCount: 3 });
      const free = { ...toy, fixedOnResume: false };
      (settings as Record<string, Option<unknown>>).toyCount = free;
      expect(identityOfSettings(completeArguments({}))).not.toHaveProperty("toyCount");
    }));

  test("has a row in docs/training-settings.md", () =>
    withToy(() => {
      const row = settingsPage()
        .split("\n")
        .find((line) => line.includes("`toyCount`"));
      expect(row).toContain(
        "| `--toys <n>` | how many toys to train with (*fixed*) | a whole number of at least 1 | `3` |",
      );
    }));

  test("was not there before, and is gone after", () => {
    expect(settings).not.toHaveProperty("toyCount");
    expect(fullHelp(train())).not.toContain("--toys");
  });
});

const commands: readonly Command[] = [
  train(),
  inspectCommand({ name: "lora", method: lora as never }),
  ...[...data.commands, generate, evaluate, predict, merge],
];

test("every flag of the commands is a declared option, but for one that may be repeated", () => {
  const others = commands.flatMap((command) =>
    command.options.filter((flag) => !(flag instanceof DeclaredFlag)).map(({ long }) => `${command.name()} ${long}`),
  );
  expect(others).toEqual(["merge --adapter"]);
});

test("every training setting is a flag of train", () => {
  const flags = train().options.map((flag) => flag.attributeName());
  expect(Object.keys(settings).filter((name) => !flags.includes(name))).toEqual([]);
});

const declared: readonly [string, Option<unknown>][] = sections().flatMap(([title, , options]) =>
  Object.entries(options).map(([name, one]): [string, Option<unknown>] => [`${title}: ${name}`, one]),
);

test("every option has help, takes its own defaults, and says why the command line's is another", () => {
  const wrong = declared.filter(([, one]) => {
    const { help, fallback, cli } = one;
    if (!help || !one.is(fallback)) return true;
    return (
      cli !== undefined &&
      (!one.is(cli.default) || (cli.shown === undefined && cli.default === fallback) || cli.reason === "")
    );
  });
  expect(wrong.map(([name]) => name)).toEqual([]);
  expect(declared.length).toBeGreaterThan(50);
});

test("the library's seed is the command line's", () => {
  expect(valuesOf(train(), settings).seed).toBe(completeArguments({}).seed);
});

test("a null is a value of an option only where the declaration says so", () => {
  const surprising = declared.filter(([, one]) => one.is(null) !== (one.nullable ?? false));
  expect(surprising.map(([name]) => name)).toEqual([]);
  expect(orNull(whole(1, 1)).is(null)).toBe(true);
});

test("no two options of a command share a flag", () => {
  for (const command of commands) {
    const flags = command.options.map(({ long }) => long);
    expect(new Set(flags).size, command.name()).toBe(flags.length);
  }
  expect(declared.filter(([, one]) => !hasFlag(one))).toEqual([]);
});

test("every training setting has a doc comment, which editors show for the type of the arguments", () => {
  const source = parse("src/train/arguments.ts");
  const undocumented: string[] = [];
  const visit = (node: ts.Node): void => {
    const isSettings = ts.isVariableDeclaration(node) && node.name.getText() === "settings";
    if (!isSettings) {
      ts.forEachChild(node, visit);
      return;
    }
    const value = ts.isSatisfiesExpression(node.initializer!) ? node.initializer.expression : node.initializer!;
    for (const property of (value as ts.ObjectLiteralExpression).properties) {
      if (ts.getJSDocCommentsAndTags(property).length === 0) undocumented.push(property.name!.getText());
    }
  };
  visit(source);
  expect(undocumented).toEqual([]);
});
