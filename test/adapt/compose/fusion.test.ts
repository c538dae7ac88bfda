import { describe, expect, test } from "vitest";
import { average, fuse } from "../../../src/adapt/compose/composition.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { expectClose } from "../../golden-files.ts";
import { forms, gradients, logits, threeAdapters } from "./adapters.ts";

describe.each(forms)("%s", (form) => {
  test("the fusion of one adapter is the adapter, up to the 1e-6 beside the identity", async () => {
    const peft = await threeAdapters(form);
    peft.addAdapterFusion(["a"]);
    expectClose("fuse", logits(peft, fuse("a")), logits(peft, "a"), 1e-4, 1e-3);
    peft.addAdapterFusion(["a", "b"], "static");
    const mixed = logits(peft, fuse("a", "b"));
    expect(mixed).not.toEqual(logits(peft, "a"));
    expect(mixed).not.toEqual(logits(peft, average(["a", "b"])));
  });
});

test("a fusion is trained without its adapters, and held near the identity by 0.02·(W − I)", async () => {
  const peft = await threeAdapters("pfeiffer");
  const name = peft.addAdapterFusion(["a", "b"]);
  const counts = peft.getNbTrainableParameters();
  peft.setAdapter(fuse("a", "b"));
  peft.setTrainable(name, true);
  const fused = peft.namedTrainable();
  expect(peft.getNbTrainableParameters()).toEqual({ trainable: 2 * (3 * 16 * 16 + 2 * 16), all: counts.all });
  const random = new Philox(3);
  const values = new Map(Array.from(fused, ([key, p]) => [key, p.values().map((x) => x + 0.3 * random.normal())]));
  for (const [key, param] of fused) param.values().set(values.get(key)!);
  const held = gradients(peft);
  peft.setAdapter("a");
  peft.deleteAdapterFusion(name);
  peft.addAdapterFusion(["a", "b"], { regularization: false });
  peft.setAdapter(fuse("a", "b"));
  peft.setTrainable(name, true);
  for (const [key, param] of peft.namedTrainable()) param.values().set(values.get(key)!);
  const free = gradients(peft);
  for (const [key, slope] of held) {
    const w = values.get(key)!;
    const pull = w.map((x, i) => (key.endsWith("value.weight") ? 0.02 * (x - (i % 17 === 0 ? 1 : 0)) : 0));
    // Seeded with 1 / 9 as the 9 rows of the loss are: the penalty counts in full.
    expectClose(
      key,
      slope,
      free.get(key)!.map((x, i) => x + pull[i]!),
      1e-6,
      1e-5,
    );
  }
});
