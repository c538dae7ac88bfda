/** Help that fits on a screen: the options that most people need, and all of them with --help-all. */
import { type Command, type Option as Flag, Help } from "commander";
import type { Option } from "../../core/options.ts";
import { DeclaredFlag, defaultOf, shownDefault } from "./options.ts";

/** A command with no more options than this shows all of them. */
const FEW = 12;
/** A short help has at least as many options. */
const LEAST = 5;

/** The most words of a choice that the short help lists. */
const MOST_CHOICES = 6;

/** The help of one command: short, or of every option. */
export class CommandHelp extends Help {
  readonly #isShort: boolean;

  constructor(isShort: boolean) {
    super();
    this.#isShort = isShort;
  }
  override visibleOptions(command: Command): Flag[] {
    if (this.#isShort) return command.options.filter(isCommon);
    return super.visibleOptions(command).filter(({ long }) => long !== ALL);
  }
  override optionDescription(flag: Flag): string {
    return this.#isShort && flag instanceof DeclaredFlag ? brief(flag.declared) : super.optionDescription(flag);
  }
}

/** The flag that shows the rest. */
export const ALL = "--help-all";

/** Whether the short help of a command leaves options out: some are common, and others are not. */
export function hasMore({ options }: Command): boolean {
  const common = options.filter(isCommon).length;
  return options.length > FEW && common >= LEAST && common < options.length;
}

function isCommon(flag: Flag): boolean {
  if (!(flag instanceof DeclaredFlag)) return true;
  return flag.declared.common === true || flag.declared.required === true;
}

/** What an option is, without what follows a semicolon, a long list of words, and a default that says "none". */
function brief(declared: Option<unknown>): string {
  const { help = declared.expected, choices = [] } = declared;
  const [first = ""] = help.split(/; /);
  const fallback = defaultOf(declared) === 0 || declared.required ? "" : shownDefault(declared);
  const words = choices.length > MOST_CHOICES ? [] : [choices.join(", ")];
  const more = [...words, fallback && fallback !== "false" ? `default: ${fallback}` : ""].filter((part) => part !== "");
  return more.length === 0 ? first : `${first} (${more.join("; ")})`;
}
