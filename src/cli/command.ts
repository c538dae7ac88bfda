/** Builds a command from its declaration. */
import { Command, type Help, type ParseOptionsResult } from "commander";
import { flag, type Options, type ValuesOf } from "../core/options.ts";
import { ALL, CommandHelp, hasMore } from "./flags/help.ts";
import { addOptions, DeclaredFlag, expectRequired, typed, valuesOf } from "./flags/options.ts";
import { answerTo, asDeclared, flagsFrom, nearestFlags, respelled } from "./flags/spellings.ts";

export interface CommandDefinition<S extends Options> {
  readonly description: string;
  readonly options: S;
  /** Example command lines, one per line. */
  readonly examples: string;
  readonly run: (values: ValuesOf<S>, command: Command) => Promise<void>;
}

/** Creates the command. `run` receives every option, with its default if it was not given. */
export function commandOf<S extends Options>(name: string, definition: CommandDefinition<S>): Command {
  const { description, options, examples, run } = definition;
  const command = new DeclaredCommand(name, examples).description(description);
  addOptions(command, options).action(() => run(valuesOf(command, options), command));
  return expectRequired(command);
}

/** The most examples in the short help of a command. */
const EXAMPLES = 2;
/** Columns for examples: those of a small screen, without the backslash at their end. */
const WIDTH = 78;

/** A command that understands flags as other tools spell them, and has a short help and a long one. */
export class DeclaredCommand extends Command {
  #showsAll = false;

  constructor(name: string, examples: string) {
    super(name);
    this.addOption(new DeclaredFlag("helpAll", flag(false, "show every option")));
    this.helpOption("-h, --help", "show the most common options");
    this.on(`option:${ALL.slice(2)}`, () => {
      this.#showsAll = true;
      this.help();
    });
    this.addHelpText("after", () => this.#after(examples));
    this.allowExcessArguments().hook("preAction", () => this.#expectNoMore());
    this.configureOutput({ outputError: (text, write) => write(this.#told(text)) });
  }
  override createHelp(): Help {
    return Object.assign(new CommandHelp(this.#isShort), this.configureHelp());
  }
  /** Errors of what runs name flags. */
  override action(run: (this: this, ...operands: never[]) => void | Promise<void>): this {
    return super.action(async (...operands: unknown[]) => {
      try {
        await run.apply(this, operands as never[]);
      } catch (error) {
        throw respelled(this, error);
      }
    });
  }
  /** Respells known flags. An unknown one is an error that says what to type. */
  override parseOptions(words: string[]): ParseOptionsResult {
    const result = super.parseOptions(asDeclared(this, words));
    if (this.commands.length > 0) return result;
    const [first] = result.unknown;
    return first === undefined || first === "--help" || first === "-h" ? result : this.#unknown(first);
  }
  #told(text: string): string {
    return /missing required argument/.test(text) ? `${text.trimEnd()}. ${typed(this)}\n` : text;
  }
  #expectNoMore(): void {
    const extra = this.args[this.registeredArguments.length];
    if (extra !== undefined)
      this.error(`error: too many arguments: "${extra}" has no flag in front of it. ${typed(this)}`);
  }
  #unknown(word: string): never {
    const [, name] = /^--([^=]+)/.exec(word) ?? [];
    if (name === undefined) {
      const near = flagsFrom(this, word.slice(1, 2));
      return this.error(`error: unknown option '${word}'. Flags are written out${near && `: ${near}`}.`);
    }
    const answer = answerTo(this, name);
    const near = answer === null ? nearestFlags(this, name) : ` ${answer}`;
    return this.error(`error: unknown option '--${name}'.${near}`);
  }
  get #isShort(): boolean {
    return hasMore(this) && !this.#showsAll;
  }
  #after(examples: string): string {
    const all = examplesOf(examples);
    const isShort = this.#isShort;
    const more = isShort ? `\n\n${ALL} shows every option, and all examples.` : "";
    return `\nExamples:\n${all.slice(0, isShort ? EXAMPLES : all.length).join("\n")}${more}`;
  }
}

/** Each example, folded to the width of a screen. */
function examplesOf(text: string): string[] {
  const lines = text
    .replaceAll(/ *\\\n */g, " ")
    .trim()
    .split("\n");
  return lines.map((line) => folded(`  ${line.trim()}`));
}

/** A command line on several lines, broken in front of flags. */
function folded(line: string): string {
  const [first, ...rest] = line.split(/ (?=--[a-z])/);
  const lines = [first!];
  for (const part of rest) {
    const longer = `${lines.at(-1)} ${part}`;
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(`      ${part}`);
  }
  return lines.join(" \\\n");
}
