/** Options of PEFT methods as flags, and the method that a command line selects. */
import type { Command } from "commander";
import { knownMethods, methodNamed } from "../adapt/files/known-methods.ts";
import { common, type Method, optionsOf } from "../adapt/method/define-method.ts";
import { type Option, type Options, oneOf } from "../core/options.ts";
import { defaultOf, givenOf, hasFlag } from "./options.ts";
import { readRunFile } from "./run-file.ts";

/** --method. */
export function methodOption(): Option<string> {
  return oneOf([...knownMethods(), "full"], "lora", {
    help: "PEFT method; its options are below, and `lorikeet methods` describes all methods",
  });
}

/** The options of a method that have flags. */
export function methodOptions(method: Method): Options {
  return Object.fromEntries(Object.entries(optionsOf(method)).filter(([, one]) => hasFlag(one)));
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
