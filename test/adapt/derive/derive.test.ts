/** Adapters made of others, and batches of several. */
import { describe, expect, test } from "vitest";
import { COMBINATIONS } from "../../../src/adapt/derive/combine.ts";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { lora } from "../../../src/methods/lora.ts";
import { base, batch, furthest, silent, three, with_ } from "../tiny-adapters.ts";

describe("weighted adapters", () => {
  test.each(COMBINATIONS)("one adapter at weight 1 gives itself: %s", async (combination) => {
    const model = await three();
    for (const name of ["a", "b", "c"]) {
      model.addWeightedAdapter([name], [1], `${name}2`, { combination, density: 0.5 });
      expect(furthest(with_(model, `${name}2`), with_(model, name))).toBeLessThan(2e-5);
    }
  });

  test.each(["cat", "svd"] as const)(
    "%s of several is their sum, whatever their ranks, scales and layers",
    async (combination) => {
      const model = await three();
      model.addWeightedAdapter(["a", "b", "c"], [1, 1, 1], "all", { combination, rank: 8 });
      expect(furthest(with_(model, "all"), with_(model, "a", "b", "c"))).toBeLessThan(1e-3);
      expect(furthest(with_(model, "all"), with_(model, "a"))).toBeGreaterThan(1e-2);
    },
  );

  test("what is made saves and loads like any other", async () => {
    const model = await three();
    model.addWeightedAdapter(["a", "c"], [0.5, -0.25], "default", { combination: "cat" });
    const files = new Map<string, Uint8Array>();
    await model.savePretrained(files, { selectedAdapters: ["default"] });
    const again = await PeftModel.fromPretrained(await base(), files, silent);
    expect(again.forward(batch).data).toEqual(with_(model, "default"));
  });

  test("unequal counts, unknown names and names in use are errors", async () => {
    const model = await three();
    expect(() => model.addWeightedAdapter(["a"], [1, 2], "x")).toThrow("2 weights for 1 adapters");
    expect(() => model.addWeightedAdapter(["z"], [1], "x")).toThrow('there is no adapter "z"');
    expect(() => model.addWeightedAdapter(["a"], [1], "b")).toThrow('adapter "b" already exists');
  });
});

test("a LoRA that took its start out of the base becomes a plain one with the same output", async () => {
  for (const initLoraWeights of ["pissa", "olora"]) {
    const model = getPeftModel(await base(), lora({ r: 3, loraAlpha: 7, initLoraWeights }), silent);
    const random = new Philox(4);
    for (const param of model.namedTrainable().values())
      param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
    const want = model.forward(batch).data;
    await model.convertToLora("default", "plain");
    expect(furthest(with_(model, "plain"), want)).toBeLessThan(1e-4);
    expect(model.peftConfig.get("plain")!.values).toMatchObject({ r: 6, initLoraWeights: true });
  }
});

test("a rank below an adapter's own keeps the best part of it", async () => {
  const model = await three();
  await model.convertToLora("a", "whole", { energy: 1 });
  await model.convertToLora("a", "small", { rank: 1 });
  const [want, whole, small] = [with_(model, "a"), with_(model, "whole"), with_(model, "small")];
  expect(furthest(whole, want)).toBeLessThan(1e-4);
  expect(furthest(small, want)).toBeGreaterThan(1e-3);
});

test("swapping in another folder keeps name and place; a folder that does not fit changes nothing", async () => {
  const other = await three();
  const files = new Map<string, Uint8Array>();
  other.addWeightedAdapter(["c"], [1], "default");
  await other.savePretrained(files, { selectedAdapters: ["default"] });
  const want = with_(other, "c");
  const model = await three();
  const before = with_(model, "a");
  await model.hotswapAdapter(files, "a");
  expect(model.activeAdapters).toEqual(["a"]);
  expect(furthest(model.forward(batch).data, want)).toBeLessThan(1e-5);
  expect(furthest(model.forward(batch).data, before)).toBeGreaterThan(1e-2);
  await expect(model.hotswapAdapter(new Map(), "a")).rejects.toThrow("adapter_config.json");
  expect(furthest(model.forward(batch).data, want)).toBeLessThan(1e-5);
});
