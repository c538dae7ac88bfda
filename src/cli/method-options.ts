/** A PEFT method's own options as options of `lorikeet train`: --lora-alpha says what `loraAlpha` says. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { knownMethods, methodNamed } from "../adapt/files/known-methods.ts";
import { common, type Method, optionsOf } from "../adapt/method/define-method.ts";
import type { Option as MethodOption } from "../adapt/method/options.ts";
import { readRunFile } from "./run-file.ts";

/** Options that are filled in from the model or the run, or that other options of the command say. */
export const FILLED: ReadonlySet<string> = new Set([
  ...["seed", "inferenceMode", "taskType", "baseModelNameOrPath", "revision", "fanInFanOut"],
  ...["tokenDim", "numTransformerSubmodules", "numAttentionHeads", "numLayers"],
]);

/** Defaults of the command line where PEFT's own seldom suit. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  lora: { loraAlpha: 16 },
  prompt_tuning: { numVirtualTokens: 20 },
  multitask_prompt_tuning: { numVirtualTokens: 20 },
  p_tuning: { numVirtualTokens: 20 },
  prefix_tuning: { numVirtualTokens: 20 },
};

/** Options that can be given on the command line, by camelCase name. */
function ownOptions(method: Method): [string, MethodOption<unknown>][] {
  return Object.entries(optionsOf(method)).filter(([name, { unsaved }]) => !FILLED.has(name) && !unsaved);
}

/** --method. */
export function methodOption(): Option {
  return new Option("--method <name>", "PEFT method; its own options are below, and `lorikeet methods` tells of all")
    .choices([...knownMethods(), "full"])
    .default("lora");
}

/** Adds the options of a method. What is not given is left to the method. */
export function addMethodOptions(command: Command, method: Method, name: string): void {
  const taken = new Set(command.options.map((option) => option.attributeName()));
  for (const [option, spec] of ownOptions(method)) {
    if (taken.has(option)) continue;
    command.addOption(commandOption(option, spec, DEFAULTS[name]?.[option] ?? spec.fallback));
  }
}

function commandOption(name: string, spec: MethodOption<unknown>, fallback: unknown): Option {
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const help = spec.help || spec.expected;
  if (fallback === false && spec.expected === "true or false") return new Option(`--${kebab}`, help);
  const shown = fallback === null || isEmpty(fallback) ? "" : ` (default: ${plainText(fallback)})`;
  const option = new Option(`--${kebab} <${placeholder(spec)}>`, help + shown);
  return option.argParser((text) => parsed(text, spec));
}

function placeholder({ expected }: MethodOption<unknown>): string {
  if (expected.startsWith("a whole number")) return "n";
  if (expected.startsWith("a number")) return "x";
  if (expected.startsWith("a list of names")) return "names";
  return expected.startsWith("an object") ? "json" : "value";
}

const isEmpty = (value: unknown): boolean => typeof value === "object" && Object.keys(value as object).length === 0;
const plainText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** The first reading of a text that the option takes: JSON, names with commas, or the text itself. */
function parsed(text: string, spec: MethodOption<unknown>): unknown {
  const names = text.split(",").map((each) => each.trim());
  const readings = [json(text), ...(names.length > 1 ? [names.map(json), names] : []), text, names];
  const listed = names.length > 1 && names.some((each) => each === "");
  const found = readings.findIndex((reading) => reading !== undefined && spec.is(reading));
  if (listed) throw new InvalidArgumentError("Expected names separated by commas.");
  if (found < 0 || readings[found] === null) throw new InvalidArgumentError(`Expected ${spec.expected}.`);
  const value = readings[found];
  const isName =
    typeof value === "string" && spec.expected.includes("list of names") && !/[\\^$*+?()[\]{}|]/.test(value);
  return isName && value !== "all-linear" ? names : value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the command line or a --config file says of a method's options, and the command line's own defaults. */
export function givenValues(command: Command, method: Method, name: string): Record<string, unknown> {
  const values: Record<string, unknown> = { ...DEFAULTS[name] };
  for (const [option] of ownOptions(method)) {
    const value: unknown = command.getOptionValue(option);
    if (value !== undefined) values[option] = value;
  }
  return values;
}

/** Names of a method's options as attributes of the command. */
export function optionNames(method: Method): string[] {
  return ownOptions(method).map(([name]) => name);
}

/** The method that a command line, or the --config file it names, asks for: its help has that method's options. */
export async function methodAsked(argv: readonly string[]): Promise<string> {
  const after = (flag: string): string | undefined => {
    const inline = argv.find((each) => each.startsWith(`${flag}=`));
    const at = argv.indexOf(flag);
    return inline?.slice(flag.length + 1) ?? (at >= 0 ? argv[at + 1] : undefined);
  };
  const named = after("--method");
  if (named !== undefined) return named;
  const file = after("--config");
  if (file === undefined) return "lora";
  const content = (await readRunFile(file).catch(() => ({}))) as { method?: unknown }; // told when it is applied
  return typeof content.method === "string" ? content.method : "lora";
}

/** The method of a name, or null for "full", which is none. Unknown names are told by the option itself. */
export async function methodOrNull(name: string): Promise<Method | null> {
  return name === "full" ? null : methodNamed(name).catch(() => null);
}

/** Whether a method has target modules. */
export function hasTargets(method: Method): boolean {
  return (method.common ?? common) === common || "targetModules" in (method.common ?? {});
}
