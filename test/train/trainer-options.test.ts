import { expect, test } from "vitest";
import { Trainer } from "../../src/train/trainer.ts";
import { examples, tinyLlama, tinyModel } from "./tiny.ts";

test("every option of a trainer is checked when it is made", async () => {
  const given = { model: await tinyModel(), trainDataset: examples(2) };
  const failing = (more: object) => () => new Trainer({ ...given, ...more } as never);
  const wrong: [object, string][] = [
    [{ computeMetric: () => ({}) }, '"computeMetric" is not an option. Did you mean "computeMetrics"?'],
    [{ computeLoss: "mse" }, '"computeLoss" is "mse", expected a function or null'],
    [{ computeMetrics: {} }, '"computeMetrics" is {}, expected a function or null'],
    [{ dataCollator: 1 }, '"dataCollator" is 1, expected a function or null'],
    [{ callbacks: "log" }, '"callbacks" is "log", expected a list of callbacks'],
    [{ outputDir: 3 }, '"outputDir" is 3, expected a folder\'s path, or memoryRun()'],
    [{ evalDataset: "valid.jsonl" }, '"evalDataset" is "valid.jsonl", expected examples as loadDataset gives them'],
    [{ signal: true }, '"signal" is true, expected an AbortSignal'],
    [{ profiler: {} }, '"profiler" is {}, expected a Profiler'],
    [{ args: 3 }, '"args" is 3, expected an object of settings'],
    [{ args: { learningrate: 1 } }, '"learningrate" is not an option. Did you mean "learningRate"?'],
    [{ model: undefined }, '"model" is missing, expected a model to train: getPeftModel(model, method)'],
    [{ trainDataset: undefined }, '"trainDataset" is missing, expected examples'],
    [{ preprocessLogitsForMetrics: () => new Int32Array() }, '"preprocessLogitsForMetrics" is for the outputs'],
  ];
  for (const [more, message] of wrong) expect(failing(more), message).toThrow(message);
  const base = await tinyLlama();
  expect(failing({ model: base })).toThrow('"model" is a GenerativeCausalLM, expected a model to train: getPeftModel');
  expect(() => new Trainer(undefined as never)).toThrow("Trainer: the options is undefined, expected an object");
  await expect(new Trainer(given).train({ resum: true } as never)).rejects.toThrow('train: "resum" is not an option');
});
