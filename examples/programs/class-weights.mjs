// Class weights in the Trainer: the same data with 5 spams among 30 mails, once as it is and once with the rare class counted more.
import { AutoModelForSequenceClassification, AutoTokenizer, getPeftModel, loadDataset, lora, readRows, Trainer } from "lorikeet";
import * as ops from "lorikeet/ops";

const data = "examples/programs/data";
const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const all = await readRows(`${data}/mails.jsonl`);
const spam = all.filter(({ label }) => label === "spam").slice(0, 5);
const rows = [...spam, ...all.filter(({ label }) => label === "ham")];

async function recallWith(classWeights) {
  const base = await AutoModelForSequenceClassification.fromPretrained("examples/pocket", {
    config: { id2label: { 0: "ham", 1: "spam" } },
  });
  const model = getPeftModel(base, lora({ r: 8, taskType: "SEQ_CLS" }));
  const trainer = new Trainer({
    model,
    trainDataset: await loadDataset(rows, tokenizer, base),
    args: { numTrainEpochs: 4, learningRate: 2e-3 },
    computeLoss: (tape, { labels, ...batch }, model) => ({
      losses: ops.crossEntropy(model.outputs(tape, batch), labels, { classWeights, reduction: "sum" }),
      count: labels.reduce((sum, label) => sum + classWeights[label], 0), // torch's weighted mean
    }),
  });
  await trainer.train();
  const { predictions, labelIds, metrics } = await trainer.predict(await loadDataset(`${data}/mails-test.jsonl`, tokenizer, base));
  const spams = predictions.filter((_, i) => labelIds[i][0] === 1);
  const recall = spams.filter(([ham, spam]) => spam > ham).length / spams.length;
  console.log(`weights ${classWeights}: recall of spam ${recall.toFixed(2)}, accuracy ${metrics.test_accuracy.toFixed(2)}`);
  return recall;
}
const [plain, weighted] = [await recallWith([1, 1]), await recallWith([1, 6])];
if (weighted <= plain) throw new Error("the weights change nothing");
