import type { Command } from "commander";
import { expect, test } from "vitest";
import { DeclaredFlag } from "../../../src/cli/flags/options.ts";
import { everyCommand } from "../every-command.ts";

const LINES = 50;
const COLUMNS = 80;

/** What a command prints when it is asked. */
function printed(command: Command, asked: "--help" | "--help-all"): string {
  let text = "";
  command.exitOverride().configureOutput({ writeOut: (part) => (text += part) });
  if (asked === "--help") command.outputHelp();
  else expect(() => command.parseOptions([asked])).toThrow();
  return text;
}

const commands = (await everyCommand()).map((command) => [command.name(), command] as const);

test.each(commands)("the help of %s fits on a screen, with what is required and examples", (name, command) => {
  const help = printed(command, "--help");
  const lines = help.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(LINES);
  expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);
  for (const flag of command.options) {
    if (flag instanceof DeclaredFlag && flag.declared.required) expect(help).toContain(flag.flags);
  }
  if (name !== "bench") expect(help).toMatch(/Examples:\n {2}\$ lorikeet /);
});

test.each(commands.filter(([name]) => name !== "bench"))("--help-all of %s shows every option", (_, command) => {
  const all = printed(command, "--help-all");
  const names = command.options.map(({ long }) => long!).filter((long) => long !== "--help-all");
  expect(names.filter((name) => !new RegExp(`^ +${name}[ \n]`, "m").test(all))).toEqual([]);
  expect(all).not.toContain("--help-all");
});

test("the help of train has LoRA's options near the top, and says how to see the rest", async () => {
  const help = printed((await everyCommand()).find((command) => command.name() === "train")!, "--help");
  expect(help.indexOf("--lora-alpha")).toBeGreaterThan(0);
  expect(help.indexOf("--lora-alpha")).toBeLessThan(help.indexOf("--epochs"));
  expect(help).toMatch(/--help-all shows every option/);
});
