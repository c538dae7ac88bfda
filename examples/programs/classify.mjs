// Classifies mails: a new head on the base, own metrics beside those of the task, predictions for held-out mails, and a pipeline.
import { AutoModelForSequenceClassification, AutoTokenizer, getPeftModel, loadDataset, lora, pipeline, Trainer } from "lorikeet";

const data = "examples/programs/data";
const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const base = await AutoModelForSequenceClassification.fromPretrained("examples/pocket", {
  config: { id2label: { 0: "ham", 1: "spam" } },
});
const model = getPeftModel(base, lora({ r: 8, taskType: "SEQ_CLS", targetModules: "all-linear" }));
const testDataset = await loadDataset(`${data}/mails-test.jsonl`, tokenizer, base);

const trainer = new Trainer({
  model,
  trainDataset: await loadDataset(`${data}/mails.jsonl`, tokenizer, base),
  evalDataset: testDataset,
  args: { numTrainEpochs: 8, learningRate: 3e-3 },
  computeMetrics({ predictions, labelIds }) {
    const caught = predictions.filter(([ham, spam], i) => spam > ham && labelIds[i][0] === 1);
    return { spam_recall: caught.length / labelIds.filter(([label]) => label === 1).length };
  },
});
const before = await trainer.evaluate();
await trainer.train();
const { metrics } = await trainer.predict(testDataset);
console.log(`accuracy ${before.eval_accuracy.toFixed(2)} before, ${metrics.test_accuracy.toFixed(2)} after`);
console.log(`F1 ${metrics.test_f1.toFixed(2)}, own metric ${metrics.test_spam_recall.toFixed(2)}`);

const classify = await pipeline("text-classification", { model, tokenizer });
const texts = ["Free gold! Click here today.", "My brother will meet you at the station."];
for (const [i, { label, score }] of (await classify(texts)).entries()) console.log(`${texts[i]} -> ${label} ${score.toFixed(2)}`);
if (metrics.test_accuracy < 0.8) throw new Error("too little was learned");
