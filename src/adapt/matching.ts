/** Determines which modules of a model an adapter adapts: PEFT's rules for `target_modules` and related options. */
import { compareCodePoints } from "../core/code-points.ts";
import { FormatError } from "../core/errors.ts";
import { StepBudget } from "../core/patterns/match-program.ts";
import { didYouMean } from "../core/similar.ts";
import type { CommonValues } from "./method/define-method.ts";
import { fullMatch, matchStart } from "./method/python-pattern.ts";

/** The modules of a model for matching. */
export interface Names {
  /** Layers with weights, in the order of the model. */
  readonly layers: readonly string[];
  /** The layers that "all-linear" selects: every linear layer except the output projection. */
  readonly allLinear: readonly string[];
  /** `target_modules` if the user specifies none. */
  readonly byDefault: readonly string[];
}

type Matching = Pick<
  CommonValues,
  "targetModules" | "excludeModules" | "layersToTransform" | "layersPattern" | "modulesToSave"
>;

/** The values for methods without these options. */
const nothing: Matching = {
  targetModules: null,
  excludeModules: null,
  layersToTransform: null,
  layersPattern: null,
  modulesToSave: null,
};

export interface Matched {
  /** Names of the layers to adapt, in the order of the model. */
  readonly targets: readonly string[];
  /** The values for the adapter's config. */
  readonly targetModules: readonly string[] | string;
}

/** Steps that all patterns of one option may take with all names: a second or less. */
export const STEPS = 50_000_000;

/** PEFT shortens longer lists before saving them. */
const LONG_LIST = 20;

/**
 * Finds the layers to adapt. A list entry matches a name that equals it or ends with "." and the entry; a string is a
 * regular expression over whole names, or "all-linear". Exclusions take precedence. Throws FormatError if nothing
 * matches, and if an entry is idle: if it matches nothing while others do. With `warn` that is a warning instead.
 */
export function findTargets(names: Names, given: Partial<Matching>, warn?: (message: string) => void): Matched {
  const matching = { ...nothing, ...given };
  const targetModules = condensed(resolve(names, matching.targetModules), names);
  const rules = { ...matching, targetModules };
  const idle = warn ?? refuse;
  const isTarget = targetRule(rules);
  const isExcluded = exclusionRule(rules);
  const included = names.layers.filter(isTarget);
  const targets = included.filter((name) => !isExcluded(name));
  if (targets.length === 0) throw new FormatError(nothingMatched(names, rules, included.length > 0));
  if (matching.excludeModules?.length && !names.layers.some(isExcluded)) {
    const near = nearestNames([matching.excludeModules].flat(), names.layers);
    idle(`excludeModules ${JSON.stringify(matching.excludeModules)} excludes no module of the model.${near}`);
  }
  if (typeof targetModules !== "string") {
    const unmatched = targetModules.filter((entry) => !names.layers.some((name) => endsIn(name, entry)));
    const list = unmatched.map((entry) => `"${entry}".${nearestNames([entry], names.layers)}`).join(" ");
    if (unmatched.length > 0 && matching.targetModules !== null)
      idle(`targetModules: no module matches ${list} ${endingsOf(names)}`);
  }
  return { targets, targetModules };
}

function refuse(message: string): never {
  throw new FormatError(message);
}

function resolve(names: Names, targetModules: readonly string[] | string | null): readonly string[] | string {
  if (targetModules === null) return names.byDefault;
  const all = typeof targetModules === "string" && targetModules.toLowerCase() === "all-linear";
  return all ? names.allLinear : targetModules;
}

/** Whether a list entry matches `name`: the whole name or its last parts. */
function endsIn(name: string, entry: string): boolean {
  return name === entry || name.endsWith(`.${entry}`);
}

function targetRule({ targetModules, layersToTransform, layersPattern }: Matching): (name: string) => boolean {
  const budget = new StepBudget(STEPS);
  if (typeof targetModules === "string") return fullMatch(targetModules, "targetModules", budget);
  const entries = targetModules ?? [];
  const inLayer = layerRule(layersToTransform, layersPattern, budget);
  return (name) => entries.includes(name) || (entries.some((entry) => endsIn(name, entry)) && inLayer(name));
}

/** Whether the first layer number in a name is a requested one. */
function layerRule(
  layers: Matching["layersToTransform"],
  pattern: Matching["layersPattern"],
  budget: StepBudget,
): (name: string) => boolean {
  if (layers === null || (Array.isArray(layers) && layers.length === 0)) return () => true;
  const wanted = typeof layers === "number" ? [layers] : layers;
  const patterns = pattern === null || pattern.length === 0 ? [] : [pattern].flat();
  const sources =
    patterns.length === 0
      ? [".*?\\.[^.]*\\.(?P<idx>\\d+)\\."]
      : patterns.map((each) => `(?:^|.*?\\.)${each}\\.(?P<idx>\\d+)\\.`);
  const searches = sources.map((source) => matchStart(source, "layersPattern", budget));
  return (name) => {
    const match = searches.map((search) => search(name)).find((found) => found !== null);
    return match !== undefined && match !== null && wanted.includes(Number(match.idx));
  };
}

function exclusionRule({ excludeModules, modulesToSave }: Matching): (name: string) => boolean {
  const budget = new StepBudget(STEPS);
  const saved = (modulesToSave ?? []).map((entry) => matchStart(`(^|.*\\.)${entry}($|\\..*)`, "modulesToSave", budget));
  const excluded =
    typeof excludeModules === "string"
      ? fullMatch(excludeModules, "excludeModules", budget)
      : (name: string) => (excludeModules ?? []).some((entry) => endsIn(name, entry));
  return (name) => excluded(name) || saved.some((rule) => rule(name) !== null);
}

function nothingMatched(names: Names, matching: Matching, allExcluded: boolean): string {
  const asked = `targetModules ${JSON.stringify(matching.targetModules)}`;
  if (allExcluded) {
    return `${asked}: every module that matches is excluded by excludeModules ${JSON.stringify(matching.excludeModules)} or modulesToSave ${JSON.stringify(matching.modulesToSave)}`;
  }
  const layers = matching.layersToTransform === null ? "" : ` in layers ${JSON.stringify(matching.layersToTransform)}`;
  const pattern = matching.layersPattern === null ? "" : ` below ${JSON.stringify(matching.layersPattern)}`;
  const hint =
    typeof matching.targetModules === "string" ? "" : nearestNames(matching.targetModules ?? [], names.layers);
  return `${asked} match no module of the model${layers}${pattern}.${hint} ${endingsOf(names)}`;
}

function endingsOf({ layers }: Names): string {
  return `Its modules end in ${[...new Set(layers.map(lastPart))].map((name) => `"${name}"`).join(", ")}`;
}

function nearestNames(entries: readonly string[], layers: readonly string[]): string {
  return didYouMean(entries[0] ?? "", [...new Set(layers.map(lastPart)), ...layers]);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** A long list of names as the smallest set of endings that distinguishes them from all other modules. */
function condensed(targetModules: readonly string[] | string, { layers }: Names): readonly string[] | string {
  if (typeof targetModules === "string" || targetModules.length < LONG_LIST) return targetModules;
  const matches = (name: string) => targetModules.some((entry) => endsIn(name, entry));
  const others = withContainers(layers).filter((name) => !matches(name));
  const taken = new Set(others.flatMap(endings));
  const chosen = new Set<string>();
  const ordered = targetModules.map(endings).sort(compareLists);
  for (const candidates of ordered) {
    const name = candidates.at(-1)!;
    const covered = () => Array.from(chosen).some((ending) => name.endsWith(`.${ending}`));
    const ending = candidates.find((each) => !chosen.has(each) && !taken.has(each) && !covered());
    if (ending !== undefined) chosen.add(ending);
  }
  return chosen.size > 0 && chosen.size < targetModules.length ? [...chosen] : targetModules;
}

/** Layers and the modules that hold them: "model" and "model.layers" of "model.layers.0". */
function withContainers(layers: readonly string[]): string[] {
  return [...new Set(layers.flatMap((name) => name.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."))))];
}

/** "c", "b.c", "a.b.c" of "a.b.c". */
function endings(name: string): string[] {
  return name.split(".").map((_, i, parts) => parts.slice(parts.length - 1 - i).join("."));
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((each, i) => each !== b[i]);
  if (at < 0) return a.length - b.length;
  return b[at] === undefined ? 1 : compareCodePoints(a[at]!, b[at]!);
}

/**
 * The layers that `modules_to_save` copies: those whose name, or whose container's name, ends with an entry (no dot
 * needed).
 */
export function findCopied(
  layers: readonly string[],
  entries: readonly string[],
  warn: (message: string) => void,
): string[] {
  const reaches = (entry: string) => (name: string) => withContainers([name]).some((part) => part.endsWith(entry));
  const idle = entries.filter((entry) => !layers.some(reaches(entry)));
  if (idle.length > 0) warn(`modulesToSave ${JSON.stringify(idle)} match no module.${nearestNames(idle, layers)}`);
  return layers.filter((name) => entries.some((entry) => reaches(entry)(name)));
}

/**
 * A look-up of the value of the first pattern that matches a layer's name, or undefined. A pattern is a regular expression
 * for its last parts.
 */
export function byPattern(
  patterns: Readonly<Record<string, number>>,
  option: string,
  budget: StepBudget = new StepBudget(STEPS),
): (name: string) => number | undefined {
  const rules = Object.entries(patterns).map(([key, value]) => {
    return { fits: matchStart(`(.*\\.)?(${key})$`, option, budget), value };
  });
  return (name) => rules.find(({ fits }) => fits(name) !== null)?.value;
}
