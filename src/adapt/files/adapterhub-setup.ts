/** AdapterHub's adapter_setup.json: how the adapters in the subfolders of a folder combine. */
import { readText } from "../../checkpoint/checkpoint.ts";
import { FormatError } from "../../core/errors.ts";
import { expectInside, type Source, type Target } from "../../core/host.ts";
import { type Json, type PyJson, parseJson, pythonJson } from "../../core/python-json.ts";
import {
  batchSplit,
  type Composition,
  type CompositionNode,
  fuse,
  parallel,
  split,
  stack,
} from "../compose/composition.ts";
import { HUB_VERSION } from "./adapterhub-config.ts";

const SETUP_FILE = "adapter_setup.json";

/** The composition of a folder, or null if it has none. */
export async function readSetup(source: Source): Promise<CompositionNode | null> {
  if (!(await source.has(SETUP_FILE))) return null;
  const what = `"${SETUP_FILE}" in ${source.name}`;
  const { adapter_setup: setup } = parseJson(await readText(source, SETUP_FILE), what) as Fields;
  const composition = read(setup!, what);
  return typeof composition === "string" ? stack(composition) : composition;
}

type Fields = Readonly<Record<string, Json>>;

function read(setup: Json, what: string): Composition {
  const { type, children, kwargs } = (setup ?? {}) as Fields;
  if (!Array.isArray(children) || children.length === 0) {
    throw new FormatError(
      `${what}: a node of adapters has "children" ${JSON.stringify(children)}, expected a non-empty list`,
    );
  }
  if (type === "single" && typeof children[0] === "string") return expectInside(what, children[0]);
  const parts = children.map((child: Json) => read(child, what));
  const { splits, batch_sizes, weights } = (kwargs ?? {}) as Readonly<Record<string, number[]>>;
  if (type === "Stack") return stack(...parts);
  if (type === "Fuse") return fuse(...parts);
  if (type === "Parallel") return parallel(...parts);
  if (type === "Split" && splits) return split(parts, splits);
  if (type === "BatchSplit" && batch_sizes) return batchSplit(parts, batch_sizes);
  if (type === "Average" && weights) return { type, children: parts, weights };
  throw new FormatError(
    `${what}: node ${JSON.stringify(type)} with ${JSON.stringify(kwargs ?? null)} is not an AdapterHub composition`,
  );
}

/** Writes the composition of a folder whose subfolders hold the adapters. */
export async function writeSetup(composition: CompositionNode, target: Target): Promise<void> {
  const setup = { adapter_setup: written(composition), head_setup: null, version: HUB_VERSION };
  await target.write(SETUP_FILE, [new TextEncoder().encode(pythonJson(setup, { sortKeys: false }))]);
}

function written(composition: Composition): PyJson {
  if (typeof composition === "string") return { type: "single", children: [composition] };
  const { type, children } = composition;
  const kwargs = kwargsOf(composition);
  return { type, children: children.map(written), ...(kwargs && { kwargs }) };
}

function kwargsOf(node: CompositionNode): PyJson {
  if (node.type === "Split") return { splits: node.splits };
  if (node.type === "BatchSplit") return { batch_sizes: node.batchSizes };
  return node.type === "Average" ? { weights: node.weights } : null;
}

/** The files of a subfolder; "" is the folder itself. */
export function subFolder(source: Source, folder: string): Source {
  if (folder === "") return source;
  const path = (file: string) => `${folder}/${file}`;
  return {
    name: `"${folder}" in ${source.name}`,
    has: (file) => source.has(path(file)),
    size: (file) => source.size(path(file)),
    read: (file, start, end) => source.read(path(file), start, end),
    list: async (nested) => {
      const below = (await source.list(true))?.filter((file) => file.startsWith(path(""))) ?? null;
      const files = below?.map((file) => file.slice(folder.length + 1)) ?? null;
      return files?.filter((file) => nested || !file.includes("/")) ?? null;
    },
    close: () => source.close(),
  };
}
