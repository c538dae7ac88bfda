import { describe, expect, test } from "vitest";
import { concatenate } from "../../src/nn/pass/sequences.ts";
import { batch, furthest, sequences, three, with_ } from "./tiny-adapters.ts";

describe("a batch of several adapters", () => {
  test("each sequence gets its own, or none, as if it ran by itself", async () => {
    const model = await three();
    model.deleteAdapter("c");
    const names = ["a", "__base__", "b"];
    const together = model.forward(batch, { adapterNames: names }).data;
    const alone = sequences.flatMap((ids, s) => {
      const run = () => Array.from(model.forward(concatenate([ids])).data);
      if (names[s] === "__base__") return model.disableAdapter(run);
      model.setAdapter(names[s]!);
      return run();
    });
    expect(furthest(together, Float32Array.from(alone))).toBeLessThan(2e-5);
    expect(furthest(with_(model, "a"), together)).toBeGreaterThan(1e-2);
  });

  test("unknown names and methods that cannot be routed are errors, and leave the model as it was", async () => {
    const model = await three();
    const before = with_(model, "a");
    expect(() => model.forward(batch, { adapterNames: ["a", "z", "b"] }).data).toThrow('there is no adapter "z"');
    expect(() => model.forward(batch, { adapterNames: ["a", "c", "b"] }).data).toThrow(
      'adapter "c" (lora) cannot be combined with others',
    );
    expect(model.forward(batch).data).toEqual(before);
  });
});
