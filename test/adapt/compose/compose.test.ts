/** Compositions of bottleneck adapters and their fusion: what must hold of any numbers. */
import { describe, expect, test } from "vitest";
import type { CompositionNode } from "../../../src/adapt/compose/composition.ts";
import { average, batchSplit, fuse, parallel, split, stack } from "../../../src/adapt/compose/composition.ts";
import { PeftModel } from "../../../src/adapt/peft-model.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../../../src/core/errors.ts";
import { bottleneck } from "../../../src/methods/bottleneck.ts";
import { lora } from "../../../src/methods/lora.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { alone, base, batch, forms, gradients, logits, near, scramble, texts, threeAdapters } from "./adapters.ts";

describe.each(forms)("%s", (form) => {
  test("the parts of a divided batch have what their adapters give alone", async () => {
    const peft = await threeAdapters(form);
    const want = [
      ...logits(peft, "a", alone(texts[0]!)),
      ...logits(peft, "b", alone(texts[1]!)),
      ...logits(peft, stack("b", "c"), alone(texts[2]!)),
    ];
    near("batchSplit", logits(peft, batchSplit(["a", "b", stack("b", "c")], [1, 1, 1])), want);
    expect(() => logits(peft, batchSplit(["a", "b"], [1, 1]))).toThrow(ShapeError);
  });

  test("in parallel every adapter has the whole batch to itself", async () => {
    const peft = await threeAdapters(form);
    const want = [...logits(peft, "a"), ...logits(peft, "c")];
    near("parallel", logits(peft, parallel("a", "c")), want);
    near(
      "disabled",
      peft.disableAdapter(() => peft.forward(batch).data),
      peft.disableAdapter(() => logits(peft, "a")),
    );
  });

  test("each sequence of a batch may name its own adapter, or the base", async () => {
    const peft = await threeAdapters(form);
    const plain = peft.disableAdapter(() => peft.forward(alone(texts[1]!)).data);
    const want = [...logits(peft, "a", alone(texts[0]!)), ...plain, ...logits(peft, "b", alone(texts[2]!))];
    peft.setAdapter("c");
    const before = peft.forward(batch).data;
    near("routed", peft.forward(batch, { adapterNames: ["a", "__base__", "b"] }).data, want);
    expect(peft.forward(batch).data).toEqual(before);
  });

  test("the average of an adapter with itself is the adapter; a weight counts as often as it says", async () => {
    const peft = await threeAdapters(form);
    near("average of one", logits(peft, average(["a", "a"], [1, 3])), logits(peft, "a"));
    near("weights", logits(peft, average(["a", "b"], [2, 1])), logits(peft, average(["a", "a", "b"])));
    expect(logits(peft, average(["a", "b"], [2, 1]))).not.toEqual(logits(peft, "a"));
  });

  test("a split gives the first tokens to one adapter and the rest to the next", async () => {
    const peft = await threeAdapters(form);
    const whole = logits(peft, "a");
    near("one long part", logits(peft, split(["a", "b"], [5, 1])), whole);
    const cut = logits(peft, split(["a", "b"], [2, 3]));
    // Nothing sees later tokens: the first two of each sequence are a's, the third is not.
    const { vocabSize } = peft;
    for (const start of batch.starts.subarray(0, -1)) {
      const rows = (values: Float32Array, from: number, to: number) =>
        values.subarray((start + from) * vocabSize, (start + to) * vocabSize);
      near("first tokens", rows(cut, 0, 2), rows(whole, 0, 2));
      expect(rows(cut, 2, 3)).not.toEqual(rows(whole, 2, 3));
    }
    expect(() => logits(peft, split(["a", "b"], [2, 2]))).toThrow(/Split of 2 \+ 2 tokens, but a sequence has 5/);
  });

  test("a list is a stack, whose order matters; what a stack leaves out changes nothing", async () => {
    const peft = await threeAdapters(form);
    expect(logits(peft, ["a", "b"])).toEqual(logits(peft, stack("a", "b")));
    if (!form.includes("parallel")) expect(logits(peft, ["b", "a"])).not.toEqual(logits(peft, ["a", "b"]));
    peft.addAdapter("late", bottleneck({ form, reductionFactor: 4, leaveOut: [0] }));
    scramble(peft, "late", 20);
    expect(logits(peft, stack("a", "late"))).not.toEqual(logits(peft, "a"));
  });
});

test("adapters trained in parallel have the gradients that each has alone", async () => {
  const peft = await threeAdapters("houlsby");
  const names = ["a", "b"];
  peft.setTrainable(names, true);
  const single = new Map(
    names.flatMap((name) => {
      peft.setTrainable(names, false);
      peft.setTrainable(name, true);
      peft.setAdapter(name);
      return Array.from(gradients(peft), ([key, values]): [string, Float32Array] => [`${name}/${key}`, values]);
    }),
  );
  peft.setTrainable(names, true);
  peft.setAdapter(parallel("a", "b"));
  const together = gradients(peft);
  expect([...together.keys()]).toEqual([...single.keys()]);
  for (const [key, values] of together) expectClose(key, values, single.get(key)!, 1e-5, 1e-4);
});

test("what is saved beside each other is loaded as it was: adapters, fusion and how they work together", async () => {
  const peft = await threeAdapters("pfeiffer");
  peft.addAdapterFusion(["a", "b"], "static", { seed: 4 });
  peft.setAdapter(stack("c", fuse("a", "b")));
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  expect([...files.keys()].sort()).toEqual(
    [
      ...["a", "b", "c"].flatMap((name) => [`${name}/adapter.safetensors`, `${name}/adapter_config.json`]),
      ...["a,b/adapter_fusion_config.json", "a,b/model_adapter_fusion.safetensors", "adapter_setup.json"],
      ...["", "a/", "b/", "c/", "a,b/"].map((folder) => `${folder}SHA256SUMS`),
    ].sort(),
  );
  const again = await PeftModel.fromPretrained(await base(), files);
  expect(again.activeAdapters).toEqual(["c", "a", "b"]);
  expect(again.forward(batch).data).toEqual(peft.forward(batch).data);
});

test("what cannot be composed is refused with the way out", async () => {
  const peft = await threeAdapters("pfeiffer");
  peft.addAdapter("low", lora({ r: 2 }));
  const refuses = (setup: CompositionNode, error: new () => Error, text: RegExp) => {
    expect(() => peft.setAdapter(setup)).toThrow(error as never);
    expect(() => peft.setAdapter(setup)).toThrow(text);
  };
  refuses(fuse("a", "b"), StateError as never, /call addAdapterFusion\(\["a","b"\]\)/);
  refuses(stack("a", "d"), StateError as never, /there is no adapter "d"/);
  refuses(average(["a", parallel("b", "c")]), UnsupportedError as never, /Parallel is inside Average/);
  refuses(stack(parallel("a", "b"), parallel("a", "b", "c")), UnsupportedError as never, /of 2 and 3 adapters/);
  refuses(parallel("a", "low"), UnsupportedError as never, /"low" is not a bottleneck adapter/);
  expect(() => peft.addAdapterFusion(["a", "low"])).toThrow(UnsupportedError);
  expect(() => average(["a", "b"], [1, -1])).toThrow(FormatError);
  expect(() => split(["a", "b"], [3])).toThrow(FormatError);
  expect(() => stack()).toThrow(FormatError);
  peft.addAdapter("late", bottleneck({ reductionFactor: 4, leaveOut: [0] }));
  expect(() => peft.addAdapterFusion(["a", "late"])).toThrow(/"late" does not act at "model.layers.0.output_adapters"/);
  peft.addAdapterFusion(["a", "b"]);
  expect(() => peft.deleteAdapter("a")).toThrow(/part of fusion "a,b"/);
  peft.setAdapter(["a", "low"]);
  expect(peft.activeAdapters).toEqual(["a", "low"]);
});

test("in training, stochastic depth drops whole sequences, and the seed decides which", async () => {
  const model = await base();
  const peft = new PeftModel(model);
  peft.addAdapter("deep", bottleneck({ reductionFactor: 4, stochasticDepth: 0.5, dropout: 0.1 }));
  scramble(peft, "deep", 5);
  peft.setAdapter("deep");
  const run = (seed: number) =>
    Tape.once(peft.engine, { training: true, seed: [seed, 0] }, (tape) => tape.download(peft.outputs(tape, batch)));
  expect(run(1)).toEqual(run(1));
  expect(run(1)).not.toEqual(run(2));
});
