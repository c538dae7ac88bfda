/** adapter_config.json: the bytes that PEFT writes, and what is refused. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configFromJson, configFromText } from "../../../src/adapt/files/load.ts";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";
import { cases, GOLDEN, loadGolden } from "../../golden-files.ts";

function sortLists(text: string): string {
  return text.replace(
    /\[\n([^\]]*)\n {2}\]/g,
    (_, lines: string) => `[\n${lines.split(",\n").sort().join(",\n")}\n  ]`,
  );
}

async function savedConfig(config: Parameters<typeof getPeftModel>[1], model = "llama"): Promise<string> {
  const base = (await loadGolden(model)).model;
  // Goldens were made beside the folder "models".
  const peft = getPeftModel(
    base,
    { ...config, values: { ...config.values, baseModelNameOrPath: `models/${model}` } },
    { onWarning: () => {} },
  );
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  return new TextDecoder().decode(files.get("adapter_config.json")!);
}

const written = cases("config").filter((name) => !name.startsWith("tiny"));

describe.each(written)("%s", (name) => {
  test("a fresh adapter's config has PEFT's bytes, but for the order in sets", async () => {
    const options = readFileSync(`${GOLDEN}/config/${name}/options.json`, "utf8");
    const text = options.trim() === "{}" ? '{"peft_type": "LORA"}' : options.replace("{", '{"peft_type": "LORA", ');
    const config = await configFromText(text, { onWarning: () => {} });
    const theirs = readFileSync(`${GOLDEN}/config/${name}/adapter_config.json`, "utf8");
    expect(sortLists(await savedConfig(config))).toBe(sortLists(theirs));
  });
});

test("options given in code are written as PEFT's: dropout as a float, ranks as integers", async () => {
  const text = await savedConfig(lora({ r: 4, loraAlpha: 16, targetModules: ["v_proj", "q_proj"] }));
  expect(text).toContain('"lora_dropout": 0.0,');
  expect(text).toContain('"lora_alpha": 16,');
  expect(text).toContain('"task_type": "CAUSAL_LM"');
  expect(text).toContain('"target_modules": [\n    "q_proj",\n    "v_proj"\n  ]');
  expect(Object.keys(JSON.parse(text) as object)).toHaveLength(41);
});

test("unknown keys are left out with a warning", async () => {
  const warnings: string[] = [];
  await configFromJson(
    { peft_type: "LORA", r: 4, use_magic: true },
    { onWarning: (message) => warnings.push(message) },
  );
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('"use_magic"');
});

test("the keys of older versions of PEFT are enough", async () => {
  const config = await configFromJson({ peft_type: "LORA", r: 4, target_modules: ["q_proj"] });
  expect(config.values).toMatchObject({ r: 4, loraAlpha: 8, initLoraWeights: true, taskType: null });
});

const unsupported = [
  { use_qalora: true },
  { layer_replication: [[0, 4]] },
  { target_parameters: ["experts"] },
  { init_lora_weights: "eva" },
  { init_lora_weights: "corda" },
  { loftq_config: { loftq_bits: 4 } },
  { ensure_weight_tying: true },
  { alora_invocation_tokens: [1, 2] },
  { use_bdlora: { nblocks: 2 } },
];
test.each(unsupported)("%o is known but not implemented, and the message says so", async (keys) => {
  const [[key, value]] = Object.entries(keys) as [[string, unknown]];
  const reading = configFromJson({ peft_type: "LORA", ...keys });
  await expect(reading).rejects.toThrow(UnsupportedError);
  await expect(reading).rejects.toThrow(`"${key}" is ${JSON.stringify(value)}`);
});

const wrong: [Record<string, unknown>, string][] = [
  [{ r: 0 }, '"r" is 0, expected a whole number of at least 1'],
  [{ r: -2 }, '"r" is -2'],
  [{ r: "8" }, '"r" is "8"'],
  [{ lora_dropout: 1.5 }, '"lora_dropout" is 1.5, expected a number from 0 to 1'],
  [{ target_modules: [1] }, '"target_modules" is [1]'],
  [{ bias: "some" }, '"bias" is "some", expected one of none, all, lora_only'],
  [{ rank_pattern: { q_proj: 0 } }, '"rank_pattern" is {"q_proj":0}'],
  [
    { target_modules: "a.*", layers_to_transform: 1 },
    '"layers_to_transform" cannot be used if "target_modules" is a regular expression',
  ],
  [{ layers_pattern: "layers" }, '"layers_pattern" needs "layers_to_transform"'],
  [{ lora_bias: true, use_dora: true }, '"lora_bias" cannot be used together with "use_dora"'],
  [{ init_lora_weights: "gausian" }, '"init_lora_weights" is "gausian"'],
];
test.each(wrong)("%o is refused by name", async (keys, message) => {
  const reading = configFromJson({ peft_type: "LORA", ...keys });
  await expect(reading).rejects.toThrow(FormatError);
  await expect(reading).rejects.toThrow(message);
});

test("an unknown method is an error that names the known ones", async () => {
  await expect(configFromJson({ peft_type: "LORRA" })).rejects.toThrow(
    /"LORRA", this version knows .*LORA.* Did you mean "LORA"/,
  );
  await expect(configFromJson({ peft_type: "constructor" })).rejects.toThrow(UnsupportedError);
  await expect(configFromJson({ r: 8 })).rejects.toThrow('"peft_type" is missing');
});

test("a misspelled option in code is an error that names the nearest", () => {
  // @ts-expect-error: and the compiler knows it too
  expect(() => lora({ loraAlfa: 16 })).toThrow('"loraAlfa" is not an option. Did you mean "loraAlpha"');
  // @ts-expect-error: an ill-typed value is refused by both
  expect(() => lora({ r: "8" })).toThrow('"r" is "8", expected a whole number of at least 1');
  // @ts-expect-error: one of a few words
  expect(() => lora({ bias: "some" })).toThrow('"bias" is "some"');
});
