import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { FormatError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";
import { GOLDEN } from "../../golden-files.ts";
import { base, batch, q, saved, silent, twoAdapters, v } from "../golden-adapter.ts";

describe("files", () => {
  test("default lies at the root, others in folders by name, and each loads alone", async () => {
    const { model } = await twoAdapters();
    const files = await saved(model);
    expect([...files.keys()].sort()).toEqual([
      "SHA256SUMS",
      "adapter_config.json",
      "adapter_model.safetensors",
      "other/SHA256SUMS",
      "other/adapter_config.json",
      "other/adapter_model.safetensors",
    ]);
    const only = new Map<string, Uint8Array>();
    await model.savePretrained(only, { selectedAdapters: ["other"] });
    expect([...only.keys()].every((file) => file.startsWith("other/"))).toBe(true);
    const again = await PeftModel.fromPretrained(await base(), files, silent);
    const other = new Map(Array.from(only, ([file, bytes]) => [file.slice(6), bytes]));
    await again.loadAdapter(other, "second");
    again.setAdapter("second");
    model.setAdapter("other");
    expect(again.forward(batch).data).toEqual(model.forward(batch).data);
    expect(again.namedTrainable().size).toBe(0);
    await expect(model.savePretrained(new Map(), { selectedAdapters: ["third"] })).rejects.toThrow(
      'there is no adapter "third"',
    );
  });

  test("a loaded adapter goes on training when asked to, with another dropout when told to", async () => {
    const files = await saved((await twoAdapters()).model);
    const model = await PeftModel.fromPretrained(await base(), files, {
      ...silent,
      isTrainable: true,
      values: { loraDropout: 0.25 },
    });
    expect(model.namedTrainable().size).toBe(4);
    expect(model.peftConfig.get("default")!.values).toMatchObject({ loraDropout: 0.25, r: 4 });
  });

  test("an adapter for another model is one error with every mismatch, and the model stays as it was", async () => {
    const folder = `${GOLDEN}/methods/lora/llama-bias-all`;
    const plain = await base("qwen3");
    const before = plain.forward(batch).data;
    const used = plain.engine.memory.usedBytes;
    const loading = PeftModel.fromPretrained(plain, folder, silent);
    await expect(loading).rejects.toThrow(FormatError);
    await expect(loading).rejects.toThrow(/adapter "default" of folder .* does not fit model "qwen3" \(\d+ problems\)/);
    await expect(loading).rejects.toThrow(/q_proj.lora_B.weight: file has \[32, 2\], model needs \[64, 2\]/);
    await expect(loading).rejects.toThrow('It was made for "models/llama-bias"');
    expect(plain.forward(batch).data).toEqual(before);
    expect(plain.engine.memory.usedBytes - used).toBeLessThan(1 << 20);
  });

  test("missing keys, keys of modules that are not adapted and a wrong rank are each named", async () => {
    const files = await saved(getPeftModel(await base(), v, silent));
    const config = new TextDecoder().decode(files.get("adapter_config.json")!);
    const changed = config.replace('"r": 2', '"r": 3').replace('"q_proj",\n    "v_proj"', '"k_proj",\n    "v_proj"');
    files.set("adapter_config.json", new TextEncoder().encode(changed));
    const message = await PeftModel.fromPretrained(await base(), files, silent).then(
      () => "loaded",
      (error: Error) => error.message,
    );
    expect(message).toContain("layers.0.self_attn.k_proj.lora_A.weight: missing, the model needs [3, 32]");
    expect(message).toContain(
      "layers.0.self_attn.v_proj.lora_A.weight: file has [2, 32], model needs [3, 32] (rank is 2 in the file, 3 in its config)",
    );
    expect(message).toContain(
      'q_proj.lora_A.weight: in the file, but not adapted by its config: "model.layers.0.self_attn.q_proj"',
    );
  });

  test("adapters whose folders are the same where capital letters do not count are refused together, and saved apart", async () => {
    const { model } = await twoAdapters();
    model.addAdapter("Other", lora({ r: 2 }));
    await expect(model.savePretrained(new Map())).rejects.toThrow(
      /adapters "other", "Other" cannot be saved together: their folders would be the same on Windows and macOS/,
    );
    const files = new Map<string, Uint8Array>();
    await model.savePretrained(files, { selectedAdapters: ["Other"] });
    expect([...files.keys()]).toContain("Other/SHA256SUMS");
  });

  test("an adapter is not saved into the folder of a model", async () => {
    const { model } = await twoAdapters();
    const folder = mkdtempSync(join(tmpdir(), "lorikeet-base-"));
    try {
      writeFileSync(join(folder, "model.safetensors"), "weights");
      await expect(model.savePretrained(folder)).rejects.toThrow(/holds a model: save an adapter to another folder/);
      expect(readdirSync(folder)).toEqual(["model.safetensors"]);
      await model.savePretrained(join(folder, "adapter"));
      expect(readdirSync(join(folder, "adapter")).sort()).toContain("SHA256SUMS");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a change of any byte of a saved adapter is refused, warned of, or changes nothing", async () => {
    const files = await saved((await twoAdapters()).model);
    const right = (await PeftModel.fromPretrained(await base(), files, silent)).forward(batch);
    const again = await base();
    for (const file of ["adapter_model.safetensors", "adapter_config.json", "SHA256SUMS"]) {
      const bytes = files.get(file)!;
      const step = Math.ceil(bytes.length / 60);
      for (let at = 0; at < bytes.length; at += step) {
        const changed = bytes.slice();
        changed[at]! ^= 1 << (at & 7);
        const warnings: string[] = [];
        const onWarning = (text: string) => void warnings.push(text);
        try {
          const model = await PeftModel.fromPretrained(again, new Map(files).set(file, changed), { onWarning });
          if (warnings.length === 0) expect(model.forward(batch), `${file}, byte ${at}`).toEqual(right);
          model.unload();
        } catch (error) {
          expect((error as Error).name, `${file}, byte ${at}: ${error}`).toMatch(
            /^(Format|Unsupported|State|Shape)Error$/,
          );
        }
      }
    }
  });

  test("a base embedding that differs from the model's own says that the adapter belongs to another base", async () => {
    const files = await saved(getPeftModel(await base("llama"), lora({ targetModules: ["embed_tokens"] }), silent));
    const bytes = files.get("adapter_model.safetensors")!;
    bytes.subarray(bytes.length - 64, bytes.length - 32).fill(0x41);
    const fits = await PeftModel.fromPretrained(
      await base("llama-bf16"),
      await saved(getPeftModel(await base("llama"), lora({ targetModules: ["embed_tokens"] }), silent)),
      silent,
    );
    expect(fits.activeAdapters).toEqual(["default"]);
    const text = new TextDecoder("latin1").decode(bytes);
    expect(text).toContain("embed_tokens.base_layer.weight");
    const at = tensorStart(bytes, "base_model.model.model.embed_tokens.base_layer.weight");
    bytes.subarray(at, at + 4).set([0, 0, 0x80, 0x41]);
    files.delete("SHA256SUMS");
    await expect(PeftModel.fromPretrained(await base("llama"), files, silent)).rejects.toThrow(
      "embed_tokens.base_layer.weight: differs from the model's own weight",
    );
  });

  test("missing files and damaged files are named", async () => {
    const files = await saved(getPeftModel(await base(), q, silent));
    const weights = files.get("adapter_model.safetensors")!;
    const load = async (changed: [string, Uint8Array | null][]) => {
      const copy = new Map(files);
      for (const [file, bytes] of changed) bytes === null ? copy.delete(file) : copy.set(file, bytes);
      return PeftModel.fromPretrained(await base(), copy, silent);
    };
    await expect(load([["adapter_config.json", null]])).rejects.toThrow("adapter_config.json");
    await expect(load([["adapter_model.safetensors", null]])).rejects.toThrow("adapter_model.safetensors");
    await expect(load([["adapter_model.safetensors", weights.subarray(0, 100)]])).rejects.toThrow(FormatError);
    await expect(load([["adapter_config.json", new TextEncoder().encode("[1]")]])).rejects.toThrow(
      "expected an object of options",
    );
    await expect(load([["adapter_config.json", new TextEncoder().encode('{"r": ')]])).rejects.toThrow(FormatError);
  });
});

/** Where a tensor's bytes begin in a safetensors file. */
function tensorStart(bytes: Uint8Array, name: string): number {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  return 8 + length + header[name]!.data_offsets[0];
}
