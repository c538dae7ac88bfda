/** Every public way to make an adapter refuses the same names, and refuses while adapters are merged. */
import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { FormatError, StateError } from "../../src/core/errors.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { lora } from "../../src/methods/lora.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { loadGolden } from "../golden-files.ts";

const silent = { onWarning: () => {} };
const q = lora({ r: 2, loraAlpha: 4, targetModules: ["q_proj"] });

const base = async (): Promise<CausalLM> => (await loadGolden("llama")).model;

async function filesOf(config: Parameters<typeof getPeftModel>[1]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const model = getPeftModel(await base(), config, silent);
  await model.savePretrained(files);
  model.dispose();
  return files;
}

const fromPeft = await filesOf(q);
const fromHub = await filesOf(bottleneck({ form: "seq_bn" }));

/** A folder whose adapter_setup.json stacks two adapters, one of this name. */
function stackOf(name: string): Map<string, Uint8Array> {
  const single = (child: string) => ({ type: "single", children: [child] });
  const setup = { adapter_setup: { type: "Stack", children: [single("default"), single(name)] }, head_setup: null };
  const files = new Map(fromHub);
  for (const [file, bytes] of fromHub) files.set(`${name}/${file}`, bytes);
  return files.set("adapter_setup.json", new TextEncoder().encode(JSON.stringify(setup)));
}

type Way = (model: PeftModel<CausalLM>, name: string) => unknown;

/** By the member of PeftModel that makes the adapter; `getPeftModel` and folders have no member of their own. */
const ways: Readonly<Record<string, Way>> = {
  addAdapter: (model, name) => model.addAdapter(name, q),
  "loadAdapter of PEFT": (model, name) => model.loadAdapter(fromPeft, name),
  "loadAdapter of AdapterHub": (model, name) => model.loadAdapter(fromHub, name),
  addWeightedAdapter: (model, name) => model.addWeightedAdapter(["default", "other"], [0.5, 0.5], name),
  "addWeightedAdapter of IA3": (model, name) => model.addWeightedAdapter(["scaled"], [0.5], name),
  convertToLora: (model, name) => model.convertToLora("default", name),
  "convertToLora of a rank": (model, name) => model.convertToLora("default", name, { rank: 1 }),
};

/** Ways that begin with a model without adapters. */
const firstWays: Readonly<Record<string, (model: CausalLM, name: string) => unknown>> = {
  getPeftModel: (model, adapterName) => getPeftModel(model, q, { adapterName, ...silent }),
  "fromPretrained of PEFT": (model, adapterName) =>
    PeftModel.fromPretrained(model, fromPeft, { adapterName, ...silent }),
  "fromPretrained of AdapterHub": (model, adapterName) =>
    PeftModel.fromPretrained(model, fromHub, { adapterName, ...silent }),
  "fromPretrained of a setup": (model, name) => PeftModel.fromPretrained(model, stackOf(name), silent),
};

/** Members that take names of adapters which are there already: any other name is unknown to them. */
const knownOnly: Readonly<Record<string, Way>> = {
  hotswapAdapter: (model, name) => model.hotswapAdapter(fromPeft, name),
  addAdapterFusion: (model, name) => model.addAdapterFusion(["default", name]),
  loadAdapterFusion: async (model, name) => {
    const files = new Map<string, Uint8Array>();
    const other = getPeftModel(await base(), bottleneck({ form: "seq_bn" }), silent);
    other.addAdapter("b", bottleneck({ form: "seq_bn" }));
    other.addAdapterFusion(["default", "b"]);
    await other.savePretrained(files);
    const fusion = [...files].filter(([file]) => file.startsWith("default,b/"));
    const folder = new Map(fusion.map(([file, bytes]) => [file.slice("default,b/".length), bytes]));
    return model.loadAdapterFusion(folder, { adapterNames: ["default", name] });
  },
  deleteAdapter: (model, name) => model.deleteAdapter(name),
  setAdapter: (model, name) => model.setAdapter(name),
  setTrainable: (model, name) => model.setTrainable(name, true),
  adapterState: (model, name) => model.adapterState(name),
  loadAdapterState: (model, name) => model.loadAdapterState(name, new Map()),
  mergeAdapter: (model, name) => model.mergeAdapter({ adapterNames: [name] }),
  mergeAndUnload: (model, name) => model.mergeAndUnload({ adapterNames: [name] }),
  savePretrained: (model, name) => model.savePretrained(new Map(), { selectedAdapters: [name] }),
};

const unusable = [
  ...["", " ", "a/b", "a\\b", "/", ".", "..", "../x", "..\\x", "C:x", "x.y", "x.", "x ", " x", "x\n", "x\0", "a,b"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "__base__"],
  ...["con", "CON", "nul", "Aux", "prn", "com1", "LPT9"],
];

async function adapted(): Promise<PeftModel<CausalLM>> {
  const model = getPeftModel(await base(), q, silent);
  model.addAdapter("other", q);
  model.addAdapter("scaled", ia3({ targetModules: ["k_proj"], feedforwardModules: [] }));
  return model;
}

const run = async (way: () => unknown) => way();

/** What a call threw. */
async function thrown(way: () => unknown): Promise<unknown> {
  try {
    await way();
  } catch (error) {
    return error;
  }
  return null;
}

describe("names of adapters", () => {
  test.each(Object.entries(ways))("%s refuses names that cannot be a folder", async (_, way) => {
    const model = await adapted();
    const before = [...model.peftConfig.keys()];
    for (const name of unusable) {
      const error = await thrown(() => way(model, name));
      expect(error, JSON.stringify(name)).toBeInstanceOf(FormatError);
      expect((error as Error).message).toContain(`adapter name ${JSON.stringify(name)} cannot be used: `);
    }
    expect([...model.peftConfig.keys()]).toEqual(before);
    await way(model, "fine-1");
    expect([...model.peftConfig.keys()]).toEqual([...before, "fine-1"]);
  });

  test.each(Object.entries(firstWays))("%s refuses them too, and leaves the model without adapters", async (_, way) => {
    const model = await base();
    for (const name of unusable) {
      const error = await thrown(() => way(model, name));
      expect(error, JSON.stringify(name)).toBeInstanceOf(FormatError);
      // Names in adapter_setup.json are paths first of all, and refused as such.
      expect((error as Error).message).toMatch(/^adapter name .* cannot be used: |must be relative and stay inside/s);
    }
    const deltas = Array.from(model.modules.values()).flatMap<unknown>((module) =>
      "deltas" in module ? module.deltas : [],
    );
    expect(deltas).toEqual([]);
    await way(model, "fine-1");
  });

  test.each(Object.entries(knownOnly))("%s makes no adapter of another name", async (_, way) => {
    const model = await adapted();
    for (const name of ["../x", "__proto__", ""]) {
      await expect(
        run(() => way(model, name)),
        JSON.stringify(name),
      ).rejects.toThrow(`there is no adapter "${name}"`);
    }
  });

  test("every member of PeftModel that takes a name or a folder is in one of the tables", () => {
    const members = [...Object.getOwnPropertyNames(PeftModel.prototype), ...Object.getOwnPropertyNames(PeftModel)];
    const named = members.filter((member) => /Adapter|Lora|Pretrained|Trainable|Unload$/.test(member));
    const listed = [ways, firstWays, knownOnly].flatMap((table) => Object.keys(table).map((key) => key.split(" ")[0]!));
    const nameless = [
      ...["disableAdapter", "unmergeAdapter", "activeAdapters", "mergedAdapters", "deleteAdapterFusion"],
      ...["namedTrainable", "describeTrainable", "printTrainableParameters", "getNbTrainableParameters"],
    ];
    expect(named.filter((member) => !listed.includes(member) && !nameless.includes(member))).toEqual([]);
  });

  test("a name that is taken is refused by all, and the adapter that has it stays", async () => {
    for (const [name, way] of Object.entries(ways)) {
      const model = await adapted();
      const config = model.peftConfig.get("other");
      await expect(
        run(() => way(model, "other")),
        name,
      ).rejects.toThrow('adapter "other" already exists');
      expect(model.peftConfig.get("other")).toBe(config);
    }
  });
});

describe("while adapters are merged", () => {
  test.each(Object.entries(ways))("%s is refused and nothing is added", async (_, way) => {
    const model = await adapted();
    model.mergeAdapter();
    const error = await thrown(() => way(model, "late"));
    expect(error).toBeInstanceOf(StateError);
    expect((error as Error).message).toBe('adapters "default" are merged: unmerge them before adding "late"');
    expect(model.peftConfig.has("late")).toBe(false);
    model.unmergeAdapter();
    await way(model, "late");
    expect(model.peftConfig.has("late")).toBe(true);
  });

  test("hot swapping is refused", async () => {
    const model = await adapted();
    model.mergeAdapter();
    await expect(model.hotswapAdapter(fromPeft, "default")).rejects.toThrow("unmerge them before swapping");
  });

  test("an adapter that is still being read when others are merged is refused at the end and freed", async () => {
    const model = await adapted();
    const before = model.adapterBytes;
    const loading = model.loadAdapter(fromPeft, "late");
    model.mergeAdapter();
    await expect(loading).rejects.toThrow('unmerge them before adding "late"');
    expect(model.adapterBytes).toBe(before);
  });
});

test("two loads under one name at the same time give one adapter and one error", async () => {
  const model = await adapted();
  const ends = await Promise.allSettled([model.loadAdapter(fromPeft, "x"), model.loadAdapter(fromPeft, "x")]);
  expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("rules about several adapters hold for every way in: at most one trains biases", async () => {
  const biased = lora({ r: 2, targetModules: ["q_proj"], bias: "lora_only" });
  const golden = (await loadGolden("llama-bias")).model;
  const model = getPeftModel(golden, biased, silent);
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  expect(() => model.addAdapter("second", biased)).toThrow("both train biases");
  await expect(model.loadAdapter(files, "second")).rejects.toThrow("both train biases");
  await model.hotswapAdapter(files, "default"); // replaces the one that trains them
  expect([...model.peftConfig.keys()]).toEqual(["default"]);
});
