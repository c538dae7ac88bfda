/** Rooms: the folders inside a folder, and the files beside them. Which may import which, without circles, and none too large. */
import { dirname } from "node:path/posix";
import { expect, test } from "vitest";
import { filesBelow, importsOf, resolved, sources } from "./source.ts";

/** What each room may import inside its folder, besides itself. Anything not named is forbidden. */
const mayImport: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  adapt: {
    // one adapter on one model
    method: [],
    "adaptable-model.ts": ["method"],
    "matching.ts": ["method"],
    "adapter.ts": ["adaptable-model.ts", "matching.ts", "method"],
    // several together
    compose: ["adaptable-model.ts", "adapter.ts", "matching.ts", "method"],
    merge: ["adaptable-model.ts", "adapter.ts", "method"],
    derive: ["adaptable-model.ts", "adapter.ts", "method"],
    // the set of them
    "adapter-name.ts": [],
    "adapter-set.ts": ["adaptable-model.ts", "adapter-name.ts", "adapter.ts", "compose", "merge", "method"],
    "adapter-per-sequence.ts": ["adaptable-model.ts", "adapter.ts", "compose", "method"],
    "merge-adapters.ts": ["adapter-name.ts", "adapter-set.ts", "merge"],
    "trained-params.ts": ["adapter-set.ts", "adapter.ts", "compose"],
    "trainable-line.ts": [],
    // folders, and what users hold
    files: [
      "adaptable-model.ts",
      "adapter-name.ts",
      "adapter-set.ts",
      "adapter.ts",
      "compose",
      "matching.ts",
      "method",
    ],
    "describe.ts": ["adaptable-model.ts", "adapter.ts", "files", "method"],
    "peft-model.ts": [
      ...["adapter-name.ts", "adapter-per-sequence.ts", "adapter-set.ts", "adapter.ts", "compose", "derive", "files"],
      ...["merge-adapters.ts", "method", "trainable-line.ts", "trained-params.ts"],
    ],
  },
  ops: {
    "checks.ts": [],
    norm: [],
    layout: ["checks.ts"],
    "constant.ts": [],
    pointwise: ["checks.ts"],
    reduce: ["checks.ts", "pointwise"],
    attention: ["checks.ts"],
    linear: ["checks.ts", "layout", "pointwise"],
    embed: ["checks.ts", "linear"],
    loss: ["checks.ts", "embed", "linear"],
    // what own losses are made of, for any operands
    public: ["checks.ts", "constant.ts", "embed", "layout", "linear", "loss", "pointwise", "reduce"],
    "lstm.ts": ["layout", "linear", "pointwise"],
    "grid.ts": ["embed", "layout"],
  },
  nn: {
    "config-keys.ts": ["config.ts"],
    "config.ts": [],
    pass: [],
    layers: ["config.ts", "pass"],
    "define-model.ts": ["config-keys.ts", "config.ts", "layers", "pass"],
    tasks: ["config.ts", "define-model.ts", "layers", "pass"],
    tensors: ["layers", "tasks"],
  },
};

const folders = new Set([...sources.keys()].map(dirname));
const hasRooms = (folder: string) => [...folders].some((each) => each.startsWith(`${folder}/`));

/** The room of a file: the second folder of its path, the file itself beside such folders, or the whole folder. */
function roomOf(file: string): string {
  const [folder, second, third] = file.split("/");
  if (second === undefined || !hasRooms(folder!)) return folder!;
  return third === undefined ? file : `${folder}/${second}`;
}

/** Imports between rooms, on demand and of types alone included. `#host` is an interface that the manifest fills in. */
const arrows = new Map<string, Set<string>>();
for (const [file, source] of sources) {
  const from = roomOf(file);
  if (!arrows.has(from)) arrows.set(from, new Set());
  for (const { specifier } of importsOf(source)) {
    if (!specifier.startsWith(".")) continue;
    const to = roomOf(resolved(file, specifier));
    if (to !== from) arrows.get(from)!.add(to);
  }
}

test.each(Object.entries(mayImport))("inside %s rooms import where the table allows", (folder, table) => {
  const within = (room: string) => room.startsWith(`${folder}/`);
  const short = (room: string) => room.slice(folder.length + 1);
  const rooms = [...arrows.keys()].filter(within);
  expect(rooms.map(short).sort()).toEqual(Object.keys(table).sort());
  const found = rooms.flatMap((from) =>
    [...arrows.get(from)!]
      .filter((to) => within(to) && !table[short(from)]!.includes(short(to)))
      .map((to) => `${from} imports ${to}`),
  );
  expect(found).toEqual([]);
});

test("no room imports itself by way of others", () => {
  const reachable = (from: string): Set<string> => {
    const seen = new Set<string>();
    const queue = [...(arrows.get(from) ?? [])];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      queue.push(...(arrows.get(at) ?? []));
    }
    return seen;
  };
  expect(arrows.size).toBeGreaterThan(30);
  const circles = [...arrows].flatMap(([from, all]) =>
    [...all].filter((to) => reachable(to).has(from)).map((to) => `${from} -> ${to} -> ... -> ${from}`),
  );
  expect(circles).toEqual([]);
});

test("no folder of src/ holds more than 20 files", () => {
  const counts = new Map<string, number>();
  for (const file of filesBelow("src")) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > 20)).toEqual([]);
});
