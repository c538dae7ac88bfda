import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForSequenceClassification } from "../../src/auto/auto-classes.ts";
import { lora } from "../../src/methods/lora.ts";
import { Trainer } from "../../src/train/trainer.ts";

test("a class of the evaluation data that the training data lacks is an error with its rows", async () => {
  using base = await AutoModelForSequenceClassification.fromConfig({
    ...{ model_type: "llama", hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2 },
    ...{
      vocab_size: 32,
      max_position_embeddings: 32,
      pad_token_id: 0,
      id2label: { 0: "blame", 1: "praise", 2: "prais" },
    },
  });
  const model = getPeftModel(base, lora({ r: 2, taskType: "SEQ_CLS" }));
  const rows = (file: string, ...labels: number[]) =>
    labels.map((label, i) => ({
      inputIds: Int32Array.of(1, 2),
      labels: Int32Array.of(label),
      where: `${file}:${i + 1}`,
    }));
  const trainDataset = rows("train.jsonl", 0, 1, 1);
  expect(() => new Trainer({ model, trainDataset, evalDataset: rows("valid.jsonl", 1, 2) })).toThrow(
    /evaluation data has classes that the training data lacks(.*\n)*.*"prais" in valid\.jsonl:2\. Did you mean "praise"/,
  );
  expect(() => new Trainer({ model, trainDataset, evalDataset: rows("valid.jsonl", 1) })).not.toThrow();
});
