import { describe, expect, test } from "vitest";
import { byPattern, findCopied, findTargets, type Names } from "../../src/adapt/matching.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";

/** The layers of a small Llama. */
function llama(blocks: number): Names {
  const parts = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `self_attn.${name}`);
  const inBlock = [
    ...parts,
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
    "input_layernorm",
    "post_attention_layernorm",
  ];
  const layers = Array.from({ length: blocks }, (_, i) => inBlock.map((name) => `model.layers.${i}.${name}`)).flat();
  const all = ["model.embed_tokens", ...layers, "model.norm", "lm_head"];
  return { layers: all, allLinear: all.filter((name) => name.endsWith("_proj")), byDefault: ["q_proj", "v_proj"] };
}

const none = {
  targetModules: null,
  excludeModules: null,
  layersToTransform: null,
  layersPattern: null,
  modulesToSave: null,
};

function targets(options: Partial<Parameters<typeof findTargets>[1]>, names = llama(2)): readonly string[] {
  return findTargets(names, { ...none, ...options }, () => {}).targets;
}
const short = (found: readonly string[]) =>
  found.map((name) => name.replace("model.layers.", "").replace("self_attn.", ""));

describe("target_modules", () => {
  test("a list entry matches whole last parts of a name, in the order of the model", () => {
    expect(short(targets({ targetModules: ["v_proj", "q_proj"] }))).toEqual([
      "0.q_proj",
      "0.v_proj",
      "1.q_proj",
      "1.v_proj",
    ]);
    expect(short(targets({ targetModules: ["1.self_attn.q_proj"] }))).toEqual(["1.q_proj"]);
    expect(() => targets({ targetModules: ["proj"] })).toThrow(FormatError);
  });
  test("nothing named means the architecture's default", () => {
    expect(targets({})).toHaveLength(4);
  });
  test("a string is a Python regular expression over whole names", () => {
    expect(short(targets({ targetModules: "model\\.layers\\.1\\..*\\.(q|k)_proj" }))).toEqual(["1.q_proj", "1.k_proj"]);
    expect(() => targets({ targetModules: "q_proj" })).toThrow("match no module");
    expect(short(targets({ targetModules: ".*(?P<a>q)_proj" }))).toEqual(["0.q_proj", "1.q_proj"]);
    expect(() => targets({ targetModules: "(?i).*Q_PROJ" })).toThrow(UnsupportedError);
    expect(() => targets({ targetModules: "(" })).toThrow('targetModules lacks a ")"');
  });
  test("all-linear is every matmul but the output projection, written out as names", () => {
    const { targets, targetModules } = findTargets(llama(2), { ...none, targetModules: "All-Linear" }, () => {});
    expect(targets).toHaveLength(14);
    expect(targetModules).toEqual(targets);
  });
  test("twenty names and more are shortened to endings that no other module has", () => {
    const { targets, targetModules } = findTargets(llama(3), { ...none, targetModules: "all-linear" }, () => {});
    expect(targets).toHaveLength(21);
    expect([...targetModules].sort()).toEqual([
      "down_proj",
      "gate_proj",
      "k_proj",
      "o_proj",
      "q_proj",
      "up_proj",
      "v_proj",
    ]);
    const some = llama(12).allLinear.filter((name) => name.endsWith("q_proj") || /\.[0-7]\..*v_proj/.test(name));
    const short = findTargets(llama(12), { ...none, targetModules: some }, () => {});
    expect([...short.targets].sort()).toEqual([...some].sort());
    expect(short.targetModules).toContain("q_proj");
    expect(short.targetModules).not.toContain("v_proj");
  });
});

describe("companions", () => {
  test("layers_to_transform takes the first number after a name, for entries that match by ending", () => {
    expect(short(targets({ targetModules: ["q_proj"], layersToTransform: 1 }))).toEqual(["1.q_proj"]);
    expect(short(targets({ targetModules: ["q_proj"], layersToTransform: [0], layersPattern: "layers" }))).toEqual([
      "0.q_proj",
    ]);
    expect(() => targets({ targetModules: ["q_proj"], layersToTransform: [0], layersPattern: ["h"] })).toThrow(
      'below ["h"]',
    );
    const exact = ["model.layers.0.self_attn.q_proj"];
    expect(targets({ targetModules: exact, layersToTransform: [1] })).toEqual(exact);
    expect(short(targets({ targetModules: ["q_proj"], layersToTransform: [] }))).toEqual(["0.q_proj", "1.q_proj"]);
  });
  test("exclude_modules wins, as a list and as a regular expression", () => {
    expect(short(targets({ targetModules: ["q_proj"], excludeModules: ["0.self_attn.q_proj"] }))).toEqual(["1.q_proj"]);
    expect(short(targets({ targetModules: ["q_proj"], excludeModules: ".*\\.1\\..*" }))).toEqual(["0.q_proj"]);
    expect(() => targets({ targetModules: ["q_proj"], excludeModules: ["q_proj"] })).toThrow(
      "every module that matches is excluded",
    );
  });
  test("modules_to_save are never adapted, and copy whatever ends in an entry, dot or not", () => {
    expect(targets({ targetModules: ["q_proj", "lm_head"], modulesToSave: ["lm_head"] })).toHaveLength(2);
    const { layers } = llama(1);
    const saved = (entries: string[]) => findCopied(layers, entries, () => {});
    expect(saved(["norm"])).toEqual([
      "model.layers.0.input_layernorm",
      "model.layers.0.post_attention_layernorm",
      "model.norm",
    ]);
    expect(saved(["mlp"])).toEqual(["gate", "up", "down"].map((name) => `model.layers.0.mlp.${name}_proj`));
  });
  test("a pattern is a regular expression for the last parts of a name, and the first that fits counts", () => {
    const patterns = { "^model.layers.1.self_attn.q_proj": 5, "layers\\.[01]\\..*q_proj": 4, q_proj: 3, _proj: 2 };
    const value = byPattern(patterns, "rankPattern");
    expect(value("model.layers.1.self_attn.q_proj")).toBe(5);
    expect(value("model.layers.0.self_attn.q_proj")).toBe(4);
    expect(value("model.layers.2.self_attn.q_proj")).toBe(3);
    expect(value("model.layers.2.self_attn.k_proj")).toBeUndefined();
  });
});

describe("what matches nothing", () => {
  test("is an error that names the nearest modules when nothing else matches", () => {
    expect(() => targets({ targetModules: ["q_prj"] })).toThrow(
      /\["q_prj"\] match no module of the model. Did you mean "q_proj"/,
    );
    expect(() => targets({ targetModules: ["c_attn"] })).toThrow(/Its modules end in "embed_tokens", "q_proj"/);
  });
  test.each([
    [
      { targetModules: ["q_proj", "v_prj"] },
      /targetModules: no module matches "v_prj". Did you mean "v_proj".* Its modules end in "embed/,
    ],
    [{ targetModules: ["c_attn", "q_proj", "k_prj"] }, /matches "c_attn"\. "k_prj"\. Did you mean "k_proj"/],
    [
      { targetModules: ["q_proj"], excludeModules: ["v_prj"] },
      /excludeModules \["v_prj"\] excludes no module.* Did you mean "v_proj"/,
    ],
  ])("%j of a new adapter is refused, though others match", (options, message) => {
    expect(() => findTargets(llama(1), { ...none, ...options })).toThrow(message);
  });
  test("is a warning in an adapter that is loaded when others match", () => {
    const warnings: string[] = [];
    const warn = (message: string) => warnings.push(message);
    findTargets(llama(1), { ...none, targetModules: ["q_proj", "qq_proj"], excludeModules: ["nothing"] }, warn);
    findCopied(llama(1).layers, ["lm_heat"], warn);
    expect(warnings.join("\n")).toMatch(/no module matches "qq_proj". Did you mean "q_proj"/);
    expect(warnings.join("\n")).toContain('excludeModules ["nothing"] excludes no module');
    expect(warnings.join("\n")).toContain('Did you mean "lm_head"');
  });
});
