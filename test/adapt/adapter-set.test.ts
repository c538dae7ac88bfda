import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../../src/core/errors.ts";
import { lora } from "../../src/methods/lora.ts";
import { Tape } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { base, batch, q, silent, twoAdapters, v, withMagnitudes } from "./golden-adapter.ts";

describe("several adapters", () => {
  test("a fresh model has one adapter, active and trainable; an added one is neither", async () => {
    const { model } = await twoAdapters();
    expect(model.activeAdapters).toEqual(["default"]);
    expect([...model.peftConfig.keys()]).toEqual(["default", "other"]);
    expect([...model.namedTrainable().keys()].every((key) => key.includes("q_proj.lora_"))).toBe(true);
  });

  test("active and trainable are apart: activating trains nothing, training activates nothing", async () => {
    const { model } = await twoAdapters();
    model.setAdapter("other");
    expect(model.namedTrainable().size).toBe(0);
    model.setTrainable("other", true);
    expect(model.namedTrainable().size).toBe(8);
    model.setAdapter("default");
    expect(model.activeAdapters).toEqual(["default"]);
    expect(model.namedTrainable().size).toBe(4);
    model.setAdapter(["default", "other"]);
    expect([...model.namedTrainable().keys()].map((key) => key.split("/")[0])).toEqual([
      ...Array(4).fill("default"),
      ...Array(8).fill("other"),
    ]);
  });

  test("two active adapters add up, in either order, and one alone is as if the other were not there", async () => {
    const { model, plain } = await twoAdapters();
    const one = model.forward(batch).data;
    model.setAdapter(["default", "other"]);
    const both = model.forward(batch).data;
    model.setAdapter(["other", "default"]);
    expectClose("the other order", model.forward(batch).data, both, 1e-4, 1e-4);
    model.mergeAdapter();
    expectClose("merged", model.forward(batch).data, both, 1e-4, 1e-4);
    model.unmergeAdapter();
    model.setAdapter("default");
    expect(model.forward(batch).data).toEqual(one);
    model.setAdapter([]);
    const bare = model.forward(batch).data;
    model.dispose();
    expect(plain.forward(batch).data).toEqual(bare);
  });

  test("an adapter with magnitudes acts on what was activated before it, and not on what comes after", async () => {
    const { model } = await withMagnitudes();
    const [lowFirst, magnitudesFirst] = [
      ["other", "default"],
      ["default", "other"],
    ].map((names) => {
      model.setAdapter(names);
      const applied = model.forward(batch).data;
      model.mergeAdapter(); // folding is one after the other by itself
      expectClose("merged", model.forward(batch).data, applied, 1e-4, 1e-4);
      return applied;
    });
    expect(lowFirst!.some((x, i) => Math.abs(x - magnitudesFirst![i]!) > 0.01)).toBe(true);
  });

  for (const names of [
    ["default", "other"],
    ["other", "default"],
  ]) {
    test(`gradients reach two adapters at once, ${names.join(" below ")}`, async () => {
      const { model } = await withMagnitudes();
      model.setTrainable(names, true);
      model.setAdapter(names);
      const lossOf = () =>
        Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch)).reduce((sum, x) => sum + x, 0));
      for (const param of model.namedTrainable().values()) param.gradient().fill(0);
      Tape.once(model.engine, { recording: true }, (tape) => tape.backward(model.loss(tape, batch), 1));
      for (const [key, param] of model.namedTrainable()) {
        if (/^default.*lora_[AB]/.test(key)) continue; // the norm is a constant for the gradient, but not for the loss
        const start = param.values().slice();
        const length = Math.hypot(...param.gradient());
        const along = param.gradient().map((g) => g / length);
        const at = (step: number) => {
          param.values().set(start.map((x, i) => x + step * along[i]!));
          return lossOf();
        };
        const measured = (at(4e-3) - at(-4e-3)) / 8e-3;
        param.values().set(start);
        expect(Math.abs(measured / length - 1), `${key}: slope ${measured}, by the gradient ${length}`).toBeLessThan(
          0.01,
        );
      }
    });
  }

  test("a deleted adapter is gone, and the first of the rest becomes active", async () => {
    const { model } = await twoAdapters();
    const used = model.engine.memory.usedBytes;
    model.deleteAdapter("default");
    expect(model.activeAdapters).toEqual(["other"]);
    expect(model.engine.memory.usedBytes).toBeLessThan(used);
    expect(() => model.setAdapter("default")).toThrow('there is no adapter "default"; the adapters are "other"');
    model.deleteAdapter("other");
    expect(model.activeAdapters).toEqual([]);
    model.addAdapter("default", q);
  });

  test("an inactive adapter can be deleted, a merged one cannot", async () => {
    const { model } = await twoAdapters();
    const logits = model.forward(batch).data;
    model.deleteAdapter("other");
    expect(model.forward(batch).data).toEqual(logits);
    model.mergeAdapter();
    expect(() => model.deleteAdapter("default")).toThrow(StateError);
    expect(() => model.addAdapter("late", v)).toThrow("are merged: unmerge them before adding");
  });

  test("names are taken once, and are folder names", async () => {
    const { model } = await twoAdapters();
    expect(() => model.addAdapter("other", v)).toThrow('adapter "other" already exists');
    expect(() => model.addAdapter("a/b", v)).toThrow(FormatError);
  });

  test("only one adapter may train biases, and only one active one may have its own copy of a layer", async () => {
    const model = getPeftModel(await base("llama-bias"), lora({ bias: "all" }), silent);
    expect(() => model.addAdapter("other", lora({ bias: "lora_only" }))).toThrow("both train biases");
    const heads = getPeftModel(await base(), lora({ modulesToSave: ["lm_head"] }), silent);
    heads.addAdapter("other", lora({ modulesToSave: ["lm_head"] }));
    expect(() => heads.setAdapter(["default", "other"])).toThrow('own copy of "lm_head"');
    heads.setAdapter("other");
  });

  test("a failed adapter leaves nothing behind", async () => {
    const model = getPeftModel(await base(), q, silent);
    const used = model.engine.memory.usedBytes;
    expect(() => model.addAdapter("norms", lora({ targetModules: ["q_proj", "norm"] }))).toThrow(UnsupportedError);
    expect(() => model.addAdapter("wide", lora({ r: 33, initLoraWeights: "pissa" }))).toThrow(ShapeError);
    expect(model.engine.memory.usedBytes).toBe(used);
    expect([...model.peftConfig.keys()]).toEqual(["default"]);
  });
});
