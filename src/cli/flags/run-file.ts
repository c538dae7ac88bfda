/** A YAML file of options for --config: `learning-rate: 2e-4` is the same as `--learning-rate 2e-4`. */
import { type Command, InvalidArgumentError, type Option } from "commander";
import { parse } from "yaml";
import { readText } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import { FormatError } from "../../core/errors.ts";
import { listProblems } from "../../core/problems.ts";
import { didYouMean } from "../../core/similar.ts";
import { expectFile } from "../paths/mistaken-paths.ts";
import { splitPath } from "../paths/paths.ts";
import { ALL } from "./help.ts";
import { DeclaredFlag } from "./options.ts";
import { answerTo, flagCalled } from "./spellings.ts";

/**
 * Fills in the options that the command line omits. Names may use hyphens or underscores; an empty value omits the
 * option. Throws one FormatError that lists every unknown name and wrong value.
 */
export async function applyRunFile(command: Command, path: string): Promise<void> {
  const problems: string[] = [];
  for (const [key, value] of Object.entries(await readRunFile(path))) {
    const problem = value === null ? null : applyEntry(command, key, value);
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) throw new FormatError(listProblems(`options in "${path}" cannot be used`, problems));
}

export async function readRunFile(path: string): Promise<object> {
  expectFile(path, "--config", "run.yaml");
  const [folder, file] = splitPath(path);
  const text = await readText(openSource(folder), file);
  let content: unknown;
  try {
    content = parse(text, { logLevel: "error" });
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    throw new FormatError(`"${path}" is not YAML: ${reason!.replace(/:$/, "")}; expected ${LINES}`, { cause });
  }
  if (typeof content === "object" && content !== null && !Array.isArray(content)) return content;
  throw new FormatError(`"${path}": expected ${LINES}`);
}

const LINES = 'option names with values, one per line, such as "learning-rate: 2e-4"';

/** Flags that a file cannot set. */
const UNFIT = ["--config", ALL];

/** Sets one option unless the command line does; returns the problem with it, or null. */
function applyEntry(command: Command, key: string, value: unknown): string | null {
  const named = key.replaceAll("_", "-");
  const option = flagCalled(command, named) ?? command.options.find(({ long }) => long === `--no-${named}`);
  if (!option || UNFIT.includes(option.long!)) {
    const names = command.options.map(({ long }) => long!).filter((long) => !UNFIT.includes(long));
    const answer = answerTo(command, named);
    const next =
      answer === null
        ? didYouMean(
            named,
            names.map((long) => long.slice(2)),
          )
        : ` ${answer}`;
    return `"${key}" is not an option of ${command.name()}.${next}`;
  }
  try {
    const found = parsed(option, named, value);
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli") command.setOptionValueWithSource(name, found, "config");
    return null;
  } catch (error) {
    if (error instanceof InvalidArgumentError) return `"${key}" is ${JSON.stringify(value)}. ${error.message}`;
    throw error;
  }
}

function parsed(option: Option, named: string, value: unknown): unknown {
  if (!option.required && !(option.optional && typeof value === "string")) {
    if (typeof value !== "boolean") throw new InvalidArgumentError("Expected true or false.");
    return option.negate && option.long === `--${named}` ? !value : value;
  }
  if (typeof value === "string" || typeof value === "number") {
    return option.parseArg ? option.parseArg(String(value), undefined) : String(value);
  }
  if (option instanceof DeclaredFlag && option.declared.is(value)) return value;
  if (Array.isArray(value) && option.parseArg) return option.parseArg(value.join(","), undefined);
  throw new InvalidArgumentError("Expected one value.");
}
