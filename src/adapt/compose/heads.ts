/** Chooses the trained copy of the task's head if several active bottleneck adapters each have one. */
import { StateError, UnsupportedError } from "../../core/errors.ts";
import type { Linear, LinearDelta } from "../../nn/layers/linear.ts";
import type { Module } from "../../nn/layers/weights.ts";
import { concatenateRows, sliceRows } from "../../ops/layout/rows.ts";
import { linear } from "../../ops/linear/linear.ts";
import type { Value } from "../../tape/tape.ts";
import type { Replaced } from "../adapter.ts";
import { rowsOfChildren } from "./compose.ts";
import type { Composition, CompositionNode } from "./composition.ts";

/** An adapter or a fusion, as far as heads go. */
interface WithHead {
  readonly replaced: readonly Replaced[];
}

/** The owner of the head: one for the whole batch, or one for each child of a node over sequences. */
export interface ActiveHeads {
  readonly owners: readonly WithHead[];
  readonly node: (CompositionNode & { type: "BatchSplit" | "Parallel" }) | null;
}

/**
 * The head is that of the last adapter or fusion. In a batch that is divided among adapters, every part uses its own
 * head.
 */
export function activeHeads(
  composition: Composition,
  adapters: ReadonlyMap<string, WithHead>,
  fusions: ReadonlyMap<string, WithHead>,
): ActiveHeads {
  if (typeof composition === "string") return { owners: [adapters.get(composition)!], node: null };
  const own = composition.type === "Fuse" ? fusions.get(composition.name) : undefined;
  if (own && own.replaced.length > 0) return { owners: [own], node: null };
  if (composition.type !== "BatchSplit" && composition.type !== "Parallel")
    return activeHeads(composition.children.at(-1)!, adapters, fusions);
  const owners = composition.children.map((child) => activeHeads(child, adapters, fusions).owners.at(-1)!);
  return { owners, node: owners.some(({ replaced }) => replaced.length > 0) ? composition : null };
}

/** Installs the heads in the model's layers. */
export function attachHeads({ owners, node }: ActiveHeads): void {
  for (const { module, weight, bias } of node ? [] : (owners.at(-1)?.replaced ?? [])) {
    if (weight) module.weight = weight;
    if (bias && (module.kind === "linear" || (module.kind === "norm" && module.bias !== null))) module.bias = bias;
  }
  if (node === null) return;
  for (const module of new Set(owners.flatMap(({ replaced }) => replaced.map((each) => each.module)))) {
    if (module.kind !== "linear")
      throw new UnsupportedError(`"${module.name}": only linear layers of a head can differ in a batch`);
    module.deltas = [
      ...module.deltas,
      headByRows(
        module,
        owners.map((owner) => copyOf(owner, module)),
        node,
      ),
    ];
  }
}

function copyOf({ replaced }: WithHead, module: Module): Replaced | null {
  return replaced.find((each) => each.module === module) ?? null;
}

function headByRows(
  module: Linear,
  copies: readonly (Replaced | null)[],
  node: CompositionNode & { type: "BatchSplit" | "Parallel" },
): LinearDelta {
  return {
    forward(x, _deltas, _below, _biased, rows) {
      if (rows === null)
        throw new StateError(
          `heads that differ in a batch reached rows that belong to no sequence in "${module.name}"`,
        );
      const cuts = rowsOfChildren(node, rows.starts);
      const parts = cuts.flatMap((own, i): Value[] => {
        if (own.length === 0) return [];
        const { weight, bias } = copies[i] ?? module;
        return [linear(sliceRows(x, own), weight ?? module.weight, module.stored, bias ?? module.bias)];
      });
      return concatenateRows(parts);
    },
  };
}
