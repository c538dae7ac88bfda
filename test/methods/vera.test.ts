import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { StateError } from "../../src/core/errors.ts";
import { lora } from "../../src/methods/lora.ts";
import { vera } from "../../src/methods/vera.ts";
import { batch, edited, saved, scramble, targets } from "../adapt/tiny-adapter.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("VeRA", () => {
  test("a file without the shared matrices has them made again from their seed, whatever its config says", async () => {
    const config = { r: 10, projectionPrngKey: 7, ...targets };
    const peft = getPeftModel(await tinyLlama(), vera({ ...config, saveProjection: false }));
    scramble(peft);
    const files = await saved(peft);
    expect(new TextDecoder("latin1").decode(files.get("adapter_model.safetensors"))).not.toContain("vera_A");
    const again = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { save_projection: true }));
    expect(again.forward(batch).data).toEqual(peft.forward(batch).data);
    const other = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { projection_prng_key: 8 }));
    expect(other.forward(batch).data).not.toEqual(peft.forward(batch).data);
  });

  test("shared matrices in the file count, whatever its config says", async () => {
    const peft = getPeftModel(await tinyLlama(), vera({ r: 10, projectionPrngKey: 7, ...targets }));
    scramble(peft);
    const files = edited(await saved(peft), { save_projection: false, projection_prng_key: 8 });
    const again = await PeftModel.fromPretrained(await tinyLlama(), files);
    expect(again.forward(batch).data).toEqual(peft.forward(batch).data);
  });

  test("adapters of one model share the seed, and whether the matrices are saved", async () => {
    const peft = getPeftModel(await tinyLlama(), vera({ r: 10 }));
    peft.addAdapter("same", vera({ r: 4 }));
    peft.addAdapter("foreign", lora());
    expect(() => peft.addAdapter("other", vera({ projectionPrngKey: 1 }))).toThrow(StateError);
    expect(() => peft.addAdapter("other", vera({ projectionPrngKey: 1 }))).toThrow("projectionPrngKey is 1, but 0");
    expect(() => peft.addAdapter("other", vera({ saveProjection: false }))).toThrow(
      "saveProjection is false, but true",
    );
    expect([...peft.peftConfig.keys()]).toEqual(["default", "same", "foreign"]);
  });
});
