import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../../src/runtime/node.ts";
import { GOLDEN } from "../../golden-files.ts";
import { goldenModel, jsonLines, succeed } from "../bed.ts";
import { at, work } from "./golden-models.ts";

describe("inspect", () => {
  const adapter = `${GOLDEN}/methods/lora/llama-default`;

  test("shows modules, shapes and counts of a model, with or without its weights", async () => {
    goldenModel(at("config-only"), "llama-tied");
    rmSync(at("config-only/model.safetensors"));
    const [table, json, bare] = await Promise.all([
      succeed(work, "inspect", "llama"),
      succeed(work, "inspect", "llama", "--json"),
      succeed(work, "inspect", "config-only", "--json"),
    ]);
    expect(table).toMatch(/^ {2}model\.layers\.1\.mlp\.down_proj +linear +\[32, 56\] +1,792$/m);
    expect(table).toContain("adapted by default: q_proj, v_proj");
    const bytes = (await openSafetensors(openFolder(at("llama")), "model.safetensors")).tensors;
    const parameters = Array.from(bytes.values()).reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
    expect(table).toContain(`${parameters.toLocaleString("en-US")} parameters`);
    expect(jsonLines(json)[0]).toMatchObject({
      kind: "model",
      modelType: "llama",
      vocabSize: 97,
      contextLength: 64,
      parameters,
      dtypes: ["F32"],
    });
    const [tied] = jsonLines(bare);
    expect(tied).toMatchObject({ kind: "model", parameters: parameters - 97 * 32 });
    expect(tied).not.toHaveProperty("bytes");
  });

  test("shows an adapter, and counts on a model what an adapter_config.json would train", async () => {
    const [table, json, counted] = await Promise.all([
      succeed(work, "inspect", adapter),
      succeed(work, "inspect", adapter, "--json"),
      succeed(work, "inspect", "llama", "--adapter-config", `${adapter}/adapter_config.json`, "--json"),
    ]);
    const { tensors } = await openSafetensors(openFolder(adapter), "adapter_model.safetensors");
    const parameters = Array.from(tensors.values()).reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
    expect(table).toContain("adapter: LORA for models/llama, task CAUSAL_LM");
    expect(table).toContain(`${parameters.toLocaleString("en-US")} parameters in ${tensors.size} tensors`);
    expect(jsonLines(json)[0]).toMatchObject({ kind: "adapter", parameters, config: { r: 4, lora_alpha: 10 } });
    expect(jsonLines(counted)[0]).toMatchObject({
      kind: "model",
      adapter: { peftType: "LORA", trainable: parameters },
    });
  });
});
