/** Runs command lines in this process, which saves the start of a new one for each. */
import type { Command } from "commander";
import { CommanderError } from "commander";
import { vi } from "vitest";
import { fail } from "../../src/cli/failure.ts";
import { program } from "../../src/cli/program.ts";

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The words of a command line, with "..." around those that have spaces. */
export function words(line: string): string[] {
  return Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!);
}

/** What `lorikeet ...argv` answers in the current folder. */
export async function answerOf(argv: readonly string[]): Promise<Answer> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  const before = process.exitCode;
  try {
    const lorikeet = throwing(await program(argv));
    await lorikeet.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else fail(error);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = before;
  return { code, ...written };
}

function throwing(command: Command): Command {
  for (const each of command.commands) throwing(each);
  return command.exitOverride();
}
