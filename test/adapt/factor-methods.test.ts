/** LoHa, LoKr, VeRA and OFT beyond what all methods have in common (test/methods.test.ts). */
import { describe, expect, test } from "vitest";
import type { MethodConfig } from "../../src/adapt/method/define-method.ts";
import { dropOutputs } from "../../src/adapt/method/lycoris.ts";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { FormatError, StateError, UnsupportedError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/philox.ts";
import { loha } from "../../src/methods/loha.ts";
import { divisors, lokr } from "../../src/methods/lokr.ts";
import { lora } from "../../src/methods/lora.ts";
import { nearestDivisor, oft } from "../../src/methods/oft.ts";
import { vera } from "../../src/methods/vera.ts";
import { concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { lift } from "../../src/ops/linear/product.ts";
import { Tape } from "../../src/tape/tape.ts";
import type { Param } from "../../src/tensor/tensor.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose } from "../golden-files.ts";
import { Gym } from "../ops/gradients.ts";
import { examples, tinyLlama } from "../train/tiny.ts";

const batch = concatenateLabelled(examples(3));
const quiet = { onWarning: () => {} };

function scramble(peft: PeftModel): void {
  const random = new Philox(3);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
}

async function saved(peft: PeftModel): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  return files;
}

/** The files with some keys of the config replaced. */
function edited(files: ReadonlyMap<string, Uint8Array>, keys: Record<string, unknown>): Map<string, Uint8Array> {
  const config = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")));
  return new Map(files).set("adapter_config.json", new TextEncoder().encode(JSON.stringify({ ...config, ...keys })));
}

const targets = { targetModules: ["q_proj", "v_proj", "down_proj"] };
const methods: [string, MethodConfig][] = [
  ["LoHa", loha({ r: 3, alpha: 5, ...targets })],
  ["LoKr", lokr({ r: 2, alpha: 5, ...targets })],
  ["VeRA", vera({ r: 10, ...targets })],
  ["OFT", oft({ oftBlockSize: 4, ...targets })],
];

describe("counts are those of the formula", () => {
  // Llama with 2 layers; q_proj [16, 16], v_proj [8, 16], down_proj [16, 24].
  const cases = [
    [loha({ r: 3, ...targets }), 2 * 2 * 3 * (16 + 16 + (8 + 16) + (16 + 24))],
    // 16 = 4·4, 8 = 2·4, 24 = 4·6; a rank below half of the larger side splits the second matrix.
    [lokr({ r: 1, ...targets }), 2 * (16 + (4 + 4) + (8 + (4 + 4)) + (16 + (4 + 6)))],
    [lokr({ r: 8, ...targets }), 2 * (16 + 16 + (8 + 16) + (16 + 24))],
    [vera({ r: 10, ...targets }), 2 * (3 * 10 + 16 + 8 + 16)],
    [oft({ oftBlockSize: 4, ...targets }), 2 * 6 * (4 + 4 + 6)],
    [oft({ oftBlockSize: 0, r: 2, ...targets }), 2 * 2 * (28 + 28 + 66)],
    [oft({ oftBlockSize: 8, blockShare: true, ...targets }), 2 * 3 * 28],
  ] as const;
  test.each(cases)("%#", async (config, count) => {
    expect(getPeftModel(await tinyLlama(), config).getNbTrainableParameters().trainable).toBe(count);
  });
});

test.each(methods)("%s acts on its own sequences of a batch, and on no others", async (_, config) => {
  const base = await tinyLlama();
  const plain = base.forward(batch);
  const peft = getPeftModel(base, config);
  scramble(peft);
  const adapted = peft.forward(batch);
  const row = (s: number) => batch.starts[s]! * base.vocabSize;
  const mixed = peft.forward(batch, { adapterNames: ["__base__", "default", "__base__"] });
  expectClose("base", mixed.subarray(0, row(1)), plain.subarray(0, row(1)), 1e-5, 1e-5);
  expectClose("adapted", mixed.subarray(row(1), row(2)), adapted.subarray(row(1), row(2)), 1e-5, 1e-5);
  expectClose("base again", mixed.subarray(row(2)), plain.subarray(row(2)), 1e-5, 1e-5);
});

test.each(methods)("%s beside a LoRA: applying both is merging both", async (_, config) => {
  const peft = getPeftModel(await tinyLlama(), config);
  peft.addAdapter("second", lora({ r: 2, ...targets }));
  for (const names of [
    ["default", "second"],
    ["second", "default"],
  ]) {
    peft.setAdapter(names);
    peft.setTrainable(names, true);
    scramble(peft);
    const applied = peft.forward(batch);
    peft.mergeAdapter();
    expectClose(names.join(), peft.forward(batch), applied, 2e-4, 2e-4);
    peft.unmergeAdapter();
  }
});

test.each(methods.slice(0, 3))(
  "%s becomes a LoRA of full rank with the same output; OFT does not",
  async (_, config) => {
    const peft = getPeftModel(await tinyLlama(), config);
    scramble(peft);
    const before = peft.forward(batch);
    await peft.convertToLora("default", "low", { rank: 16 });
    peft.setAdapter("low");
    expectClose("logits", peft.forward(batch), before, 2e-4, 2e-4);
    const rotated = getPeftModel(await tinyLlama(), oft({ oftBlockSize: 4 }));
    await expect(rotated.convertToLora("default", "low", { rank: 2 })).rejects.toThrow("oft does not add to weights");
  },
);

describe("GPT-2, whose weights are [in, out]", () => {
  const gpt2 = async (): Promise<CausalLM> => {
    const config = { model_type: "gpt2", vocab_size: 32, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 };
    return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
  };

  test.each([
    ["LOHA", loha()],
    ["LOKR", lokr()],
    ["OFT", oft()],
  ])("%s refuses it, as PEFT does", async (type, config) => {
    const model = await gpt2();
    expect(() => getPeftModel(model, config, quiet)).toThrow(UnsupportedError);
    expect(() => getPeftModel(model, config, quiet)).toThrow(
      `${type} does not adapt layers whose weight is stored [in, out]`,
    );
  });

  test("VeRA adapts and merges it, and says that fanInFanOut is set", async () => {
    const warnings: string[] = [];
    const peft = getPeftModel(await gpt2(), vera({ r: 7, targetModules: ["c_attn", "c_fc"] }), {
      onWarning: (warning) => warnings.push(warning),
    });
    expect(warnings).toEqual([expect.stringContaining("fanInFanOut is set to true")]);
    scramble(peft);
    const applied = peft.forward(batch);
    expectClose("merged", peft.mergeAndUnload().forward(batch), applied, 2e-4, 2e-4);
  });
});

describe("dropout of outputs", () => {
  const columns = 40;
  /** A row of ones through dropOutputs. */
  async function dropped(rankDropout: number, moduleDropout: number, scaled: boolean, step = 1, training = true) {
    using gym = await Gym.open("baseline");
    const ones = gym.param("ones", [2, columns]);
    ones.values().fill(1);
    return Tape.once(gym.engine, { training, seed: [5, step] }, (tape) =>
      tape.download(dropOutputs(lift(tape, ones), { rankDropout, moduleDropout }, scaled)),
    );
  }
  const steps = Array.from({ length: 30 }, (_, step) => step);

  test("zeroes the same columns in every row, as often as asked, and others at every step", async () => {
    const masks = await Promise.all(steps.map((step) => dropped(0.3, 0, false, step)));
    for (const mask of masks) expect(mask.subarray(0, columns)).toEqual(mask.subarray(columns));
    expect(new Set(masks.map(String)).size).toBe(steps.length);
    const kept = masks.flatMap((mask) => [...mask.subarray(0, columns)]);
    expect(new Set(kept)).toEqual(new Set([0, 1]));
    // 1200 draws: a standard deviation of 0.013.
    expect(Math.abs(kept.reduce((sum, x) => sum + x, 0) / kept.length - 0.7)).toBeLessThan(0.06);
    expect(await dropped(0.3, 0, false, 4)).toEqual(masks[4]);
  });

  test("scaled, leaves the mean over the columns as it was", async () => {
    for (const step of steps.slice(0, 5)) {
      const mask = await dropped(0.6, 0, true, step);
      expect(mask.reduce((sum, x) => sum + x, 0) / mask.length).toBeCloseTo(1, 5);
    }
  });

  test("of the module zeroes all or nothing, with no rescaling", async () => {
    const masks = await Promise.all(steps.map((step) => dropped(0, 0.5, true, step)));
    for (const mask of masks) expect(new Set(mask).size).toBe(1);
    const kept = masks.filter((mask) => mask[0] === 1).length;
    expect(masks.filter((mask) => mask[0] === 0).length).toBe(steps.length - kept);
    expect(Math.abs(kept - 15)).toBeLessThan(11); // four standard deviations
  });

  test("never makes a NaN of a mask without a one, and does nothing outside training", async () => {
    for (const step of steps) expect((await dropped(0.99, 0, true, step)).every(Number.isFinite)).toBe(true);
    expect(new Set(await dropped(0.5, 0.5, true, 1, false))).toEqual(new Set([1]));
  });

  test.each([
    loha({ r: 3, rankDropout: 0.5, moduleDropout: 0.2, initWeights: false }),
    lokr({ r: 2, rankDropout: 0.5, initWeights: false }),
  ])("acts in training only: %#", async (config) => {
    const peft = getPeftModel(await tinyLlama(), config);
    const losses = (training: boolean, step: number) =>
      Tape.once(peft.engine, { training, recording: training, seed: [1, step] }, (tape) =>
        tape.download(peft.loss(tape, batch)),
      );
    expect(losses(true, 1)).toEqual(losses(true, 1));
    expect(losses(true, 1)).not.toEqual(losses(true, 2));
    expect(losses(false, 1)).toEqual(losses(false, 2));
    expect(losses(true, 1)).not.toEqual(losses(false, 1));
  });
});

describe("LoKr", () => {
  test.each([
    [127, -1, [1, 127]],
    [128, -1, [8, 16]],
    [768, -1, [24, 32]],
    [128, 4, [4, 32]],
    [12, 6, [6, 2]], // a factor that divides comes first, whatever its size
    [12, 5, [3, 4]],
    [56, 5, [4, 14]],
    [2304, 10, [9, 256]],
  ] as const)("%d with factor %d is split into %j", (size, factor, pair) => {
    expect(divisors(size, factor)).toEqual(pair);
  });

  test("keys of the file decide which matrices are low-rank, not its config", async () => {
    const peft = getPeftModel(await tinyLlama(), lokr({ r: 1, decomposeBoth: true, ...targets }));
    scramble(peft);
    const files = edited(await saved(peft), { decompose_both: false });
    const again = await PeftModel.fromPretrained(await tinyLlama(), files, { isTrainable: true });
    expect([...again.namedTrainable().keys()].some((key) => key.endsWith("lokr_w1_a"))).toBe(true);
    expect(again.forward(batch)).toEqual(peft.forward(batch));
  });
});

describe("VeRA", () => {
  test("a file without the shared matrices has them made again from their seed, whatever its config says", async () => {
    const config = { r: 10, projectionPrngKey: 7, ...targets };
    const peft = getPeftModel(await tinyLlama(), vera({ ...config, saveProjection: false }));
    scramble(peft);
    const files = await saved(peft);
    expect(new TextDecoder("latin1").decode(files.get("adapter_model.safetensors"))).not.toContain("vera_A");
    const again = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { save_projection: true }));
    expect(again.forward(batch)).toEqual(peft.forward(batch));
    const other = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { projection_prng_key: 8 }));
    expect(other.forward(batch)).not.toEqual(peft.forward(batch));
  });

  test("shared matrices in the file count, whatever its config says", async () => {
    const peft = getPeftModel(await tinyLlama(), vera({ r: 10, projectionPrngKey: 7, ...targets }));
    scramble(peft);
    const files = edited(await saved(peft), { save_projection: false, projection_prng_key: 8 });
    const again = await PeftModel.fromPretrained(await tinyLlama(), files);
    expect(again.forward(batch)).toEqual(peft.forward(batch));
  });

  test("adapters of one model share the seed, and whether the matrices are saved", async () => {
    const peft = getPeftModel(await tinyLlama(), vera({ r: 10 }));
    peft.addAdapter("same", vera({ r: 4 }));
    peft.addAdapter("foreign", lora());
    expect(() => peft.addAdapter("other", vera({ projectionPrngKey: 1 }))).toThrow(StateError);
    expect(() => peft.addAdapter("other", vera({ projectionPrngKey: 1 }))).toThrow("projectionPrngKey is 1, and 0");
    expect(() => peft.addAdapter("other", vera({ saveProjection: false }))).toThrow(
      "saveProjection is false, and true",
    );
    expect([...peft.peftConfig.keys()]).toEqual(["default", "same", "foreign"]);
  });
});

describe("OFT", () => {
  test.each([
    [16, 6, 4],
    [24, 6, 6],
    [12, 5, 4], // 4 and 6 are as near
    [53, 32, 53],
    [37, 16, 1],
    [768, 1000, 768],
  ])("%d: the divisor nearest to %d is %d", (width, asked, near) => {
    expect(nearestDivisor(width, asked)).toBe(near);
  });

  test("says once for each width which block size it takes instead", async () => {
    const warnings: string[] = [];
    const config = oft({ oftBlockSize: 7, ...targets });
    const peft = getPeftModel(await tinyLlama(), config, { onWarning: (warning) => warnings.push(warning) });
    expect(warnings.map((warning) => warning.replace(/the width of .*: /, ""))).toEqual([
      "oftBlockSize 7 does not divide 16, 8 is used there",
      "oftBlockSize 7 does not divide 24, 6 is used there",
    ]);
    expect((peft.peftConfig.get("default")!.values as { oftBlockSize?: number }).oftBlockSize).toBe(7);
  });

  test("takes a number of blocks or their size, not both and not neither", () => {
    for (const options of [{ r: 4 }, { oftBlockSize: 0 }]) {
      expect(() => oft(options)).toThrow(FormatError);
      expect(() => oft(options)).toThrow("one of them should be 0");
    }
  });

  test("an exact rotation and its series turn opposite ways", async () => {
    const options = { oftBlockSize: 4, numCayleyNeumannTerms: 40, targetModules: ["q_proj"] };
    const peft = getPeftModel(await tinyLlama(), oft(options));
    scramble(peft);
    const files = await saved(peft);
    for (const [key, param] of peft.namedTrainable()) {
      expect(key).toContain("oft_R");
      param.values().set(param.values().map((x) => -x));
    }
    const exact = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { use_cayley_neumann: false }));
    expectClose("logits", exact.forward(batch), peft.forward(batch), 2e-4, 2e-4);
  });

  test("coft keeps every block within its share of eps, and leaves smaller ones alone", async () => {
    const peft = getPeftModel(
      await tinyLlama(),
      oft({ oftBlockSize: 4, coft: true, eps: 0.1, targetModules: ["q_proj"] }),
    );
    const [first, second] = [...peft.namedTrainable().values()] as [Param, Param];
    first.values().fill(1);
    second.values().fill(0.001);
    peft.forward(batch);
    for (let block = 0; block < 4; block++) {
      const norm = Math.SQRT2 * Math.hypot(...first.values().subarray(block * 6, block * 6 + 6));
      expect(norm).toBeCloseTo(0.1 / Math.sqrt(4), 6);
    }
    expect(new Set(second.values())).toEqual(new Set([Math.fround(0.001)]));
  });
});
