// Classifies mails: a new head on the base, own metrics beside those of the task, predictions for held-out mails, and a pipeline.
import { AutoModelForSequenceClassification, AutoTokenizer, getPeftModel, labelNamesOf, loadDataset, lora, pipeline, readRows, Trainer } from "lorikeet";

const data = "examples/programs/data";
const labelNames = labelNamesOf(await readRows(`${data}/mails.jsonl`));
const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const base = await AutoModelForSequenceClassification.fromPretrained("examples/pocket", {
  config: { id2label: Object.fromEntries(labelNames.entries()) },
});
const model = getPeftModel(base, lora({ r: 8, taskType: "SEQ_CLS", targetModules: "all-linear" }));
const testDataset = await loadDataset(`${data}/mails-test.jsonl`, tokenizer, base);

const trainer = new Trainer({
  model,
  trainDataset: await loadDataset(`${data}/mails.jsonl`, tokenizer, base),
  evalDataset: testDataset,
  args: { numTrainEpochs: 8, learningRate: 3e-3 },
  computeMetrics({ predictions, labelIds }) {
    const spam = labelNames.indexOf("spam");
    const found = predictions.map((logits) => logits.indexOf(Math.max(...logits)) === spam);
    const caught = found.filter((each, i) => each && labelIds[i][0] === spam).length;
    return { spam_recall: caught / labelIds.filter(([label]) => label === spam).length };
  },
});
const before = await trainer.evaluate();
await trainer.train();
const { metrics } = await trainer.predict(testDataset);
console.log(`accuracy ${before.eval_accuracy.toFixed(2)} before, ${metrics.test_accuracy.toFixed(2)} after`);
console.log(metrics);

const classify = await pipeline("text-classification", { model, tokenizer });
console.log(await classify(["Free gold! Click here today.", "My brother will meet you at the station."]));
if (metrics.test_accuracy < 0.8) throw new Error("too little was learned");
