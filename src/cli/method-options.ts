/** Options of PEFT methods as flags, and the method that a command line selects. */
import type { Command } from "commander";
import { knownMethods, methodNamed } from "../adapt/files/known-methods.ts";
import { common, type Method, optionsOf } from "../adapt/method/define-method.ts";
import { type Option, type Options, oneOf } from "../core/options.ts";
import { defaultOf, givenOf, hasFlag, kebab } from "./flags/options.ts";
import { readRunFile } from "./flags/run-file.ts";

/** --method. */
export function methodOption(): Option<string> {
  return oneOf([...knownMethods(), "full"], "lora", {
    help: "PEFT method; its options are below, and `lorikeet methods` describes all methods",
    insteadOf: {
      "use-lora": "--method lora is the default",
      "use-peft": "--method lora is the default",
      qlora: "--weights nf4 trains LoRA on a base of 4 bits",
      "fine-tune-type": "--method lora, or --method full for every weight",
    },
    common: true,
  });
}

/**
 * The options of a method that have flags, which scripts often spell with the method in front: `--lora-r`. The first of
 * its own are those that most people need.
 */
export function methodOptions(method: Method): Options {
  const first = [...Object.keys(method.options).slice(0, FIRST), "targetModules"];
  const options = Object.entries(optionsOf(method)).filter(([, one]) => hasFlag(one));
  const prefix = method.peftType.toLowerCase().replaceAll("_", "-");
  const taken = options.map(([name]) => kebab(name));
  const prefixed = (name: string) => [`${prefix}-${kebab(name)}`].filter((flag) => !taken.includes(flag));
  const told = ([name, one]: readonly [string, Option<unknown>]) => ({
    ...one,
    alsoSpelled: [...(one.alsoSpelled ?? []), ...prefixed(name)],
    common: first.includes(name),
  });
  return Object.fromEntries(options.map((each) => [each[0], told(each)]));
}

/** How many of a method's own options the short help shows. */
const FIRST = 3;

/** The options whose names others do not have: a setting goes before a method's option of the same name. */
export function beside(others: Options, options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(others, name)));
}

/**
 * The options that the command line or a --config file gives, and the command line's own defaults. The method provides
 * the rest.
 */
export function givenValues(command: Command, method: Method): Record<string, unknown> {
  const options = methodOptions(method);
  const own = Object.entries(options).filter(([, { cli }]) => cli !== undefined);
  return { ...Object.fromEntries(own.map(([name, one]) => [name, defaultOf(one)])), ...givenOf(command, options) };
}

/** The method that a command line or its --config file selects: the help lists that method's options. */
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
  const content = (await readRunFile(file).catch(() => ({}))) as { method?: unknown }; // reported when it is applied
  return typeof content.method === "string" ? content.method : "lora";
}

/** The method with a name, or null for "full", which is not a method. The flag itself reports unknown names. */
export async function methodOrNull(name: string): Promise<Method | null> {
  return name === "full" ? null : methodNamed(name).catch(() => null);
}

/** Whether a method has target modules. */
export function hasTargets(method: Method): boolean {
  return (method.common ?? common) === common || "targetModules" in (method.common ?? {});
}
