/**
 * How several bottleneck adapters combine, in AdapterHub's terms (Pfeiffer et al. 2020, "AdapterHub"): values for
 * `PeftModel.setAdapter`. compose.ts computes them.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";

/** An adapter's name, or a node of compositions. */
export type Composition = string | CompositionNode;

/** `type` is AdapterHub's name of the node. */
export type CompositionNode =
  | { readonly type: "Stack"; readonly children: readonly Composition[] }
  | { readonly type: "Parallel"; readonly children: readonly Composition[] }
  | { readonly type: "Fuse"; readonly children: readonly Composition[]; readonly name: string }
  | { readonly type: "Split"; readonly children: readonly Composition[]; readonly splits: readonly number[] }
  | { readonly type: "BatchSplit"; readonly children: readonly Composition[]; readonly batchSizes: readonly number[] }
  | { readonly type: "Average"; readonly children: readonly Composition[]; readonly weights: readonly number[] };

/** One after the other: each reads the result of those before it. */
export function stack(...children: Composition[]): CompositionNode {
  return { type: "Stack", children: some("stack", children) };
}

/**
 * Mixed by attention over their outputs, after `PeftModel.addAdapterFusion` was called for them (Pfeiffer et al. 2021).
 */
export function fuse(...children: Composition[]): CompositionNode {
  return { type: "Fuse", children: some("fuse", children), name: fusionName(children) };
}

/**
 * Each on some tokens of every sequence: the first on the first `splits[0]` tokens, the next on the following
 * `splits[1]`, and so on. A sequence may be shorter than their sum, but not longer.
 */
export function split(children: readonly Composition[], splits: readonly number[]): CompositionNode {
  return { type: "Split", children: some("split", children), splits: counts("split", children, splits) };
}

/**
 * Each on some sequences of the batch: the first on the first `batchSizes[0]`, and so on. The sizes must add up to the
 * batch.
 */
export function batchSplit(children: readonly Composition[], batchSizes: readonly number[]): CompositionNode {
  const sizes = counts("batchSplit", children, batchSizes);
  return { type: "BatchSplit", children: some("batchSplit", children), batchSizes: sizes };
}

/**
 * Each on a copy of the whole batch: outputs are in the order of the adapters, with all sequences of the batch for
 * each.
 */
export function parallel(...children: Composition[]): CompositionNode {
  return { type: "Parallel", children: some("parallel", children) };
}

/**
 * The weighted mean of their results for z, before the connection's norm. Weights are divided by their sum and are
 * equal by default. AdapterHub 1.2.0 divides the mean by the number of adapters a second time, which is not reproduced
 * here.
 */
export function average(
  children: readonly Composition[],
  weights: readonly number[] = children.map(() => 1),
): CompositionNode {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (weights.length !== children.length || !(Math.abs(sum) > 0 && Number.isFinite(sum))) {
    throw new FormatError(
      `average: weights ${JSON.stringify(weights)}, expected ${children.length} numbers whose sum is not 0`,
    );
  }
  return { type: "Average", children: some("average", children), weights: weights.map((weight) => weight / sum) };
}

function some(what: string, children: readonly Composition[]): readonly Composition[] {
  if (children.length > 0) return [...children];
  throw new FormatError(`${what}: found no adapter, expected at least one name`);
}

function counts(what: string, children: readonly Composition[], given: readonly number[]): readonly number[] {
  if (given.length === children.length && given.every((n) => Number.isSafeInteger(n) && n >= 1)) return [...given];
  throw new FormatError(
    `${what}: sizes ${JSON.stringify(given)}, expected ${children.length} whole numbers of at least 1, one per adapter`,
  );
}

/** AdapterHub's name for the fusion of these: the names joined with commas, for a stack the last one. */
export function fusionName(children: readonly Composition[]): string {
  return children.map(lastOf).join(",");
}

/** The adapter that acts last. */
export function lastOf(composition: Composition): string {
  return typeof composition === "string" ? composition : lastOf(composition.children.at(-1)!);
}

/** The names of all adapters, in order, without duplicates. */
export function namesIn(composition: Composition): string[] {
  return typeof composition === "string" ? [composition] : [...new Set(composition.children.flatMap(namesIn))];
}

/** Every node, outermost first. */
export function nodesIn(composition: Composition): CompositionNode[] {
  return typeof composition === "string" ? [] : [composition, ...composition.children.flatMap(nodesIn)];
}

/** The number of copies of the batch. Throws UnsupportedError if nodes disagree. */
export function copiesIn(composition: Composition): number {
  const sizes = new Set(
    nodesIn(composition)
      .filter(({ type }) => type === "Parallel")
      .map(({ children }) => children.length),
  );
  if (sizes.size > 1) {
    throw new UnsupportedError(
      `composition: parallel nodes of ${[...sizes].join(" and ")} adapters, expected one number`,
    );
  }
  return [...sizes][0] ?? 1;
}

/** Which nodes each node may contain. */
const allowed: Readonly<Record<CompositionNode["type"], readonly CompositionNode["type"][]>> = {
  Stack: ["Fuse", "Split", "Parallel", "BatchSplit", "Average"],
  Fuse: ["Stack"],
  Split: ["Split", "Stack", "BatchSplit", "Average"],
  Parallel: ["Stack", "BatchSplit", "Average"],
  BatchSplit: ["Stack", "Split", "BatchSplit", "Average"],
  Average: ["Stack", "Split", "BatchSplit"],
};

/** Throws UnsupportedError unless the nodes are nested as AdapterHub allows. */
export function expectNestable(composition: Composition): void {
  for (const node of nodesIn(composition)) {
    for (const child of node.children) {
      if (typeof child === "string" || allowed[node.type].includes(child.type)) continue;
      const fits = ["adapter names", ...allowed[node.type]].join(", ");
      throw new UnsupportedError(`composition: ${child.type} is inside ${node.type}, which can only contain ${fits}`);
    }
  }
  copiesIn(composition);
}
