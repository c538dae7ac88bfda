/** AdapterHub's folders as older versions, other model classes and other methods write them. */
import { describe, expect, test } from "vitest";
import { configFromJson } from "../../../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { openSafetensors, writeSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { mapSource, memoryTarget } from "../../../src/checkpoint/source.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { bottleneck } from "../../../src/methods/bottleneck.ts";
import { concatenateLabelled } from "../../../src/nn/pass/sequences.ts";
import { createEngine } from "../../../src/wasm/engine.ts";

const model = {
  model_type: "gpt2",
  vocab_size: 30,
  n_embd: 16,
  n_inner: 20,
  n_layer: 2,
  n_head: 2,
  n_positions: 16,
  initializer_range: 0.25,
};
const batch = concatenateLabelled([{ inputIds: [3, 9, 27, 1], labels: [3, 9, 27, 1] }]);
const base = async () =>
  AutoModelForCausalLM.fromConfig(model, { engine: await createEngine({ build: "baseline" }), seed: 1 });

const fields = { mh_adapter: false, output_adapter: true, reduction_factor: 4, non_linearity: "relu" };
const pfeiffer = { ...fields, original_ln_before: true };
const hub = (config: unknown, rest = {}) => ({
  config,
  model_type: "gpt2",
  name: "n",
  version: "adapters.1.2.0",
  ...rest,
});
const read = async (json: unknown) => {
  const warnings: string[] = [];
  const { values } = await configFromJson(json, { onWarning: (message) => warnings.push(message) });
  return { values: values as unknown as Record<string, unknown>, warnings };
};

describe("adapter_config.json", () => {
  test("fields that a file leaves out mean what they mean in AdapterHub, not what a form has", async () => {
    const { values } = await read(hub({ ...fields, mh_adapter: true, is_parallel: true }));
    expect(values).toMatchObject({ form: "parallel", scaling: 1, initWeights: "bert", originalLnBefore: false });
    expect((await read(hub("houlsby"))).values.form).toBe("houlsby");
  });

  test("without a version, gelu is gelu_new and gelu_orig is gelu", async () => {
    const old = (non_linearity: string) => ({ ...hub({ ...fields, non_linearity }), version: undefined });
    expect((await read(old("gelu"))).values.nonLinearity).toBe("gelu_new");
    expect((await read(old("gelu_orig"))).values.nonLinearity).toBe("gelu");
    expect((await read(hub({ ...fields, non_linearity: "gelu" }))).values.nonLinearity).toBe("gelu");
  });

  test("what is not implemented is refused by name, what is unknown is told", async () => {
    await expect(read(hub({ ...fields, inv_adapter: "nice" }))).rejects.toThrow(UnsupportedError);
    await expect(read(hub({ ...fields, inv_adapter: "nice" }))).rejects.toThrow(/"inv_adapter" is "nice"/);
    await expect(read(hub({ ...fields, phm_layer: true }))).rejects.toThrow(/"phm_layer" is true/);
    await expect(read(hub({ architecture: "lora", r: 8 }))).rejects.toThrow(/"architecture" is "lora"/);
    await expect(read(hub({ ...fields, scaling: "big" }))).rejects.toThrow(/"scaling" is "big"/);
    await expect(read(hub({ mh_adapter: true }))).rejects.toThrow(
      /"output_adapter", "reduction_factor", "non_linearity"/,
    );
    expect((await read(hub({ ...fields, new_field: 1 }))).warnings.join()).toMatch(/ignoring unknown "new_field"/);
    const nested = { ...fields, invertible_adapter: { block_type: "nice", reduction_factor: 2 } };
    await expect(read(hub(nested))).rejects.toThrow(UnsupportedError);
    expect((await read(hub(nested, { type: "text_task" }))).values.form).toBe("pfeiffer");
  });
});

/** A folder with other keys, made from one that was written here. */
async function rewritten(
  rename: (key: string) => string,
): Promise<{ files: Map<string, Uint8Array>; logits: Float32Array }> {
  const peft = getPeftModel(await base(), bottleneck({ reductionFactor: 4 }), { adapterName: "n" });
  const written = new Map<string, Uint8Array>();
  await peft.savePretrained(written);
  const { tensors } = await openSafetensors(mapSource(written), "n/adapter.safetensors");
  const held = await Promise.all(
    Array.from(tensors.values(), async (t) => ({
      ...t,
      shape: t.shape,
      dtype: t.dtype,
      bytes: await t.read(),
      key: t.name,
    })),
  );
  const target = memoryTarget();
  const all = held.map(({ key, dtype, shape, bytes }) => ({ name: rename(key), dtype, shape, bytes: () => bytes }));
  await writeSafetensors(target, "adapter.safetensors", all, null);
  const config = new TextEncoder().encode(JSON.stringify(hub(pfeiffer)));
  return { files: new Map([...target.files, ["adapter_config.json", config]]), logits: peft.forward(batch).data };
}

describe("keys", () => {
  test.each([
    ["without the prefix of a model with a head", (key: string) => key.replace(/^transformer\./, "")],
    ["with the prefix of another model class", (key: string) => `transformer.${key}`],
    ["with the names of old versions", (key: string) => key.replace(".adapters.", ".layer_text_task_adapters.")],
  ])("%s are found", async (_, rename) => {
    const { files, logits } = await rewritten(rename);
    const peft = await PeftModel.fromPretrained(await base(), files, { onWarning: (text) => expect.fail(text) });
    expect(peft.forward(batch).data).toEqual(logits);
  });

  test("of places that the model does not have are listed, all at once", async () => {
    const { files } = await rewritten((key) => key.replace("h.1.", "h.7."));
    const load = PeftModel.fromPretrained(await base(), files);
    await expect(load).rejects.toThrow(FormatError);
    await expect(load).rejects.toThrow(/8 problems/);
    await expect(load).rejects.toThrow(/transformer\.h\.7\.output_adapters.*the model has no such module/);
  });
});

test("the fields of a fresh adapter are those of its form, and its scaling is a float for Python", async () => {
  const peft = getPeftModel(await base(), bottleneck({ form: "parallel", scaling: 2 }));
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  const text = new TextDecoder().decode(files.get("adapter_config.json")!);
  expect(text).toContain('"scaling": 2.0');
  expect(JSON.parse(text)).toMatchObject({
    config: {
      is_parallel: true,
      init_weights: "mam_adapter",
      reduction_factor: 2,
      phm_layer: false,
      inv_adapter: null,
    },
    hidden_size: 16,
    model_class: "GPT2LMHeadModel",
    name: "default",
    version: "adapters.1.2.0",
  });
});
