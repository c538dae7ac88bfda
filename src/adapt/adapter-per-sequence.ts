/** Runs a batch in which each sequence has its own adapter, or none, in one pass of the base. */
import { StateError, UnsupportedError } from "../core/errors.ts";
import type { LinearDelta } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import type { SequenceRows } from "../nn/pass/sequences.ts";
import type { VirtualTokens } from "../nn/pass/virtual-tokens.ts";
import { replaceRows, sliceRows } from "../ops/layout/rows.ts";
import { linear } from "../ops/linear/linear.ts";
import type { Value } from "../tape/tape.ts";
import type { Base } from "./adaptable-model.ts";
import type { Adapter, Replaced } from "./adapter.ts";
import { composed, connectionOf } from "./compose/compose.ts";
import type { Composition } from "./compose/composition.ts";
import { methodName, type Rows } from "./method/define-method.ts";

/** The virtual tokens of each sequence, null if its adapter has none. */
export function virtualOf(names: readonly string[], adapters: ReadonlyMap<string, Adapter>): (VirtualTokens | null)[] {
  return names.map((name) => adapters.get(name)?.sites.virtual ?? null);
}

/**
 * Applies each adapter to its own sequences: `names[s]` is the adapter of sequence s. Throws UnsupportedError for a
 * method that cannot act on individual rows. The layers keep this state until it is set again.
 */
export function route(base: Base, names: readonly string[], adapters: ReadonlyMap<string, Adapter>): void {
  const sequences = new Map<Adapter, number[]>();
  names.forEach((name, s) => {
    const adapter = adapters.get(name);
    if (adapter) sequences.set(adapter, [...(sequences.get(adapter) ?? []), s]);
  });
  for (const adapter of sequences.keys()) expectRoutable(adapter);
  for (const module of base.layers.values()) {
    const { weight, bias } = base.weightsOf(module);
    module.weight = weight;
    if (module.kind === "embedding") module.deltas = [];
    if (module.kind !== "linear") continue;
    module.bias = bias;
    module.deltas = Array.from(sequences).flatMap(([adapter, own]) => deltas(adapter, module, own));
  }
  const composition = byNeighbours(names);
  for (const site of base.sites) {
    if (site.kind === "attention") site.deltas = [];
    else site.delta = composed(composition, connectionOf(site, adapters.values()));
  }
}

/** The division of the batch that the names describe. The base's name has no adapter and changes nothing. */
function byNeighbours(names: readonly string[]): Composition {
  const runs: { name: string; count: number }[] = [];
  for (const name of names) {
    if (runs.at(-1)?.name === name) runs.at(-1)!.count++;
    else runs.push({ name, count: 1 });
  }
  return { type: "BatchSplit", children: runs.map(({ name }) => name), batchSizes: runs.map(({ count }) => count) };
}

function deltas(adapter: Adapter, module: Module & { kind: "linear" }, sequences: readonly number[]): LinearDelta[] {
  const part = adapter.linear.get(module);
  const replaced = adapter.replaced.find((each) => each.module === module);
  const onRows = part
    ? part.forwardRows!.bind(part)
    : replaced && ((x: Value, rows: Rows) => withCopy(x, rows, module, replaced));
  if (!onRows) return [];
  return [
    {
      forward(x, low, below, biased, all) {
        const rows = rowsOf(x, all, sequences);
        if (rows.length === 0) return below(x, low, biased);
        if (part) return onRows(x, rows, (input) => below(input, low, biased));
        const y = below(x, low, biased);
        return replaceRows(
          y,
          rows,
          onRows(x, rows, (input) => input),
        );
      },
    },
  ];
}

/** The rows of the sequences in x, where `all` maps each row to its sequence; adjacent ranges are merged. */
function rowsOf({ shape }: Value, all: SequenceRows | null, sequences: readonly number[]): Rows {
  if (all === null || all.starts.at(-1) !== shape[0]) {
    throw new StateError("a batch with several adapters reached a layer whose rows belong to no sequence");
  }
  const { starts } = all;
  const rows: { start: number; end: number }[] = [];
  for (const s of sequences) {
    const [start, end] = [starts[s]!, starts[s + 1]!];
    const last = rows.at(-1);
    if (last?.end === start) last.end = end;
    else if (end > start) rows.push({ start, end });
  }
  return rows;
}

/** Runs rows through an adapter's own copy of a layer (modules_to_save). */
function withCopy(x: Value, rows: Rows, module: Module & { kind: "linear" }, { weight, bias }: Replaced): Value {
  return linear(sliceRows(x, rows), weight ?? module.weight, module.stored, bias ?? module.bias);
}

function expectRoutable({ name, config, linear: parts, embedding, replaced, sites }: Adapter): void {
  const stuck = Array.from(parts.values()).some((part) => !part.forwardRows) || embedding.size > 0;
  const elsewhere = sites.attention || replaced.some(({ module }) => module.kind !== "linear");
  if (!stuck && !elsewhere) return;
  throw new UnsupportedError(
    `adapter "${name}" (${methodName(config.method)}) cannot be combined with others in a batch: ` +
      "only prompts and linear-layer methods other than DoRA can; run its sequences separately",
  );
}
