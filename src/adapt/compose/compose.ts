/**
 * Computes a composition of bottleneck adapters at one residual connection.
 *
 * Each adapter turns z, the sub-layer's output, into another z; the connection LN(z + x) follows once, at the end. So a
 * stack is a chain, nodes over rows split z and join it again, and a branch gives the same result as it would alone.
 */
import { ShapeError } from "../../core/errors.ts";
import type { Residual, ResidualDelta } from "../../nn/layers/residual.ts";
import { concatenateRows, type RowRange, sliceRows } from "../../ops/layout/rows.ts";
import { add } from "../../ops/pointwise/add.ts";
import { scaleBy } from "../../ops/pointwise/elementwise.ts";
import type { Value } from "../../tape/tape.ts";
import type { Adapter } from "../adapter.ts";
import type { ResidualPart } from "../method/define-method.ts";
import { type Composition, type CompositionNode, namesIn } from "./composition.ts";
import type { Fusion, FusionLayer } from "./fusion.ts";

/** The adapters and fusions at one connection. */
export interface Connection {
  readonly site: Residual;
  /** Adapters that act here, by name. */
  readonly parts: ReadonlyMap<string, ResidualPart>;
  /** Fusions that act here, by name. */
  readonly fusions: ReadonlyMap<string, FusionLayer>;
}

/** The computation of these adapters and fusions at a connection. */
export function connectionOf(site: Residual, adapters: Iterable<Adapter>, fusions: Iterable<Fusion> = []): Connection {
  const parts = new Map<string, ResidualPart>();
  const layers = new Map<string, FusionLayer>();
  for (const { name, sites } of adapters) {
    const part = sites.residual?.get(site);
    if (part) parts.set(name, part);
  }
  for (const { name, layers: all } of fusions) {
    const layer = all.get(site);
    if (layer) layers.set(name, layer);
  }
  return { site, parts, fusions: layers };
}

interface State {
  /** The current value of the sub-layer's output. */
  readonly z: Value;
  readonly x: Value;
  /** First rows of the sequences. */
  readonly starts: Int32Array;
  /** Whether x and the norm still have to be applied. */
  readonly joins: boolean;
}

/** The computation at a connection while a composition is active, or null if none of its adapters acts there. */
export function composed(composition: Composition, connection: Connection): ResidualDelta | null {
  if (!namesIn(composition).some((name) => connection.parts.has(name))) return null;
  return {
    forward(z, x, site, { starts }) {
      const end = run(composition, { z, x, starts, joins: true }, connection);
      return end.joins ? site.join(end.z, end.x) : end.z;
    },
  };
}

function run(composition: Composition, state: State, connection: Connection): State {
  if (typeof composition === "string") return runOne(composition, state, connection);
  switch (composition.type) {
    case "Stack":
      return composition.children.reduce((below, child) => run(child, below, connection), state);
    case "Average":
      return runAverage(composition, state, connection);
    case "Fuse":
      return runFuse(composition, state, connection);
    default:
      return runByRows(composition, state, connection);
  }
}

function runOne(name: string, state: State, { parts, site }: Connection): State {
  const part = parts.get(name);
  if (part === undefined) return state;
  const { input, residual } = part.enter(state.z, state.x, site);
  const output = part.bottleneck(input, state.starts);
  return { ...state, z: part.leave(output, input, residual, state.starts), joins: part.joins };
}

/** Branches must end in the same state: if one has already applied the connection, it is applied to the others too. */
function alike(states: readonly State[], { site }: Connection): { values: Value[]; joins: boolean } {
  const joins = states.every((state) => state.joins);
  return { joins, values: states.map(({ z, x, joins: own }) => (own && !joins ? site.join(z, x) : z)) };
}

function runAverage(
  { children, weights }: CompositionNode & { type: "Average" },
  state: State,
  connection: Connection,
): State {
  const { values, joins } = alike(
    children.map((child) => run(child, state, connection)),
    connection,
  );
  const z = values.map((value, i) => scaleBy(value, weights[i]!)).reduce((sum, term) => add(sum, term));
  return { ...state, z, joins };
}

/** The last adapter determines how z goes in and out, as in AdapterHub. */
function runFuse({ children, name }: CompositionNode & { type: "Fuse" }, state: State, connection: Connection): State {
  const { parts, fusions, site } = connection;
  const fusion = fusions.get(name);
  if (fusion === undefined) return state;
  const ends = children.map((child) => {
    const [before, last] =
      typeof child === "string" ? [[], child] : [child.children.slice(0, -1), child.children.at(-1) as string];
    const below = before.reduce<State>((each, one) => run(one, each, connection), state);
    const part = parts.get(last)!;
    const { input, residual } = part.enter(below.z, below.x, site);
    return { part, input, residual, output: part.bottleneck(input, below.starts) };
  });
  const { part } = ends.at(-1)!;
  const { input, residual } = part.enter(state.z, state.x, site);
  const query = fusion.queryBeforeNorm ? state.z : input;
  const outputs = ends.map((end) => end.output);
  return { ...state, z: fusion.forward(query, outputs, residual), joins: part.joins };
}

/** Split, BatchSplit and Parallel: each child on its own rows. */
function runByRows(
  node: CompositionNode & { type: "Split" | "BatchSplit" | "Parallel" },
  state: State,
  connection: Connection,
): State {
  const cuts = rowsOfChildren(node, state.starts);
  const branches = node.children.flatMap((child, i) => {
    const rows = cuts[i]!.filter(({ start, end }) => end > start);
    if (rows.length === 0) return [];
    const [z, x] = [sliceRows(state.z, rows), sliceRows(state.x, rows)];
    return [{ rows, end: run(child, { ...state, z, x, starts: startsOf(cuts[i]!) }, connection) }];
  });
  const { values, joins } = alike(
    branches.map(({ end }) => end),
    connection,
  );
  const order = branches.flatMap(({ rows }) => rows);
  return { ...state, z: inOrder(concatenateRows(values), order), joins };
}

/** For each child, the rows of each of its sequences. */
export function rowsOfChildren(
  node: CompositionNode & { type: "Split" | "BatchSplit" | "Parallel" },
  starts: Int32Array,
): RowRange[][] {
  const sequences = Array.from(starts.subarray(1), (end, s) => ({ start: starts[s]!, end }));
  if (node.type === "Split") return splitRows(sequences, node.splits);
  const count = sequences.length;
  const { children } = node;
  const sizes = node.type === "BatchSplit" ? node.batchSizes : children.map(() => count / children.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== count || !sizes.every(Number.isInteger)) {
    throw new ShapeError(`${node.type} of ${sizes.join(" + ")} sequences, but the batch has ${count}`);
  }
  let first = 0;
  return sizes.map((size) => {
    first += size;
    return sequences.slice(first - size, first);
  });
}

function splitRows(sequences: readonly RowRange[], splits: readonly number[]): RowRange[][] {
  const total = splits.reduce((sum, size) => sum + size, 0);
  for (const { start, end } of sequences) {
    if (end - start <= total) continue;
    throw new ShapeError(`Split of ${splits.join(" + ")} tokens, but a sequence has ${end - start}`);
  }
  let offset = 0;
  return splits.map((size) => {
    const from = offset;
    offset += size;
    return sequences.map(({ start, end }) => ({
      start: Math.min(start + from, end),
      end: Math.min(start + from + size, end),
    }));
  });
}

function startsOf(ranges: readonly RowRange[]): Int32Array {
  const starts = new Int32Array(ranges.length + 1);
  ranges.forEach(({ start, end }, i) => {
    starts[i + 1] = starts[i]! + end - start;
  });
  return starts;
}

/** Moves consecutive ranges of rows back to their original positions. */
function inOrder(rows: Value, ranges: readonly RowRange[]): Value {
  const starts = startsOf(ranges);
  const pieces = ranges.map((range, i) => ({ at: range.start, start: starts[i]!, end: starts[i + 1]! }));
  if (pieces.every(({ at, start }) => at === start)) return rows;
  return sliceRows(
    rows,
    pieces.sort((a, b) => a.at - b.at),
  );
}
