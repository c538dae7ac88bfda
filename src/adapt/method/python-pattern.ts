/**
 * Patterns in adapter files, which Python matches by its `re`. They are read as `re` reads them and matched with a limit
 * on steps, as the file may be anybody's.
 */
import { ProgramMatch, StepBudget } from "../../core/patterns/match-program.ts";
import { PatternReader } from "../../core/patterns/pattern-reader.ts";
import type { PatternNode } from "../../core/patterns/pattern-tree.ts";
import { programOf } from "../../core/patterns/program.ts";
import { parsePythonPattern } from "./parse-python-pattern.ts";

/** What making an instruction counts as. */
const STEPS_AN_INSTRUCTION = 100;

/** What the groups of a match hold, by name: undefined for one that matched nothing. */
export type NamedGroups = Readonly<Record<string, string | undefined>>;

/**
 * A test for whole texts, as `re.fullmatch(pattern, text)`. `option` names the pattern in messages. Throws FormatError or
 * UnsupportedError; the test throws FormatError beyond the budget, which several patterns can share.
 */
export function fullMatch(pattern: string, option: string, budget = new StepBudget()): (text: string) => boolean {
  const end: PatternNode = { kind: "edge", atStart: false };
  const match = compile(pattern, option, budget, (tree) => ({ kind: "sequence", parts: [tree, end] }));
  return (text) => match(text) !== null;
}

/** A search from the start of texts, as `re.match(pattern, text)`: null, or the named groups. */
export function matchStart(
  pattern: string,
  option: string,
  budget = new StepBudget(),
): (text: string) => NamedGroups | null {
  return compile(pattern, option, budget, (tree) => tree);
}

function compile(
  pattern: string,
  option: string,
  budget: StepBudget,
  whole: (tree: PatternNode) => PatternNode,
): (text: string) => NamedGroups | null {
  const name = `${option} ${JSON.stringify(pattern.slice(0, 200))}`;
  const { tree, names } = parsePythonPattern(new PatternReader(pattern, option));
  const program = programOf(whole(tree), name);
  budget.take(STEPS_AN_INSTRUCTION * program.code.length, name);
  return (text) => {
    const places = new ProgramMatch(program, text, name, budget).match(0);
    if (places === null) return null;
    const groups = Array.from(names, ([group, index]) => {
      const [start, end] = [places[2 * index]!, places[2 * index + 1]!];
      return [group, end < 0 ? undefined : text.slice(start, end)] as const;
    });
    return Object.fromEntries(groups);
  };
}
