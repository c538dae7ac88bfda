// A dataset made by the program: dates to be written out as words, learned from rows that exist in no file.
import { AutoModelForCausalLM, AutoTokenizer, generate, getPeftModel, loadDataset, lora, rowsFrom, Trainer } from "lorikeet";

const months = "January February March April May June July August September October November December".split(" ");
const dates = Array.from({ length: 336 }, (_, i) => ({ month: Math.floor(i / 28), day: 1 + (i % 28) }));
const rows = dates.map(({ month, day }) => ({
  prompt: `${day}/${month + 1} =`,
  completion: ` ${months[month]} ${day}.`,
}));
const [train, test] = [rows.filter((_, i) => i % 9 > 0), rows.filter((_, i) => i % 9 === 0)];

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const base = await AutoModelForCausalLM.fromPretrained("examples/pocket");
const model = getPeftModel(base, lora({ r: 16, loraAlpha: 32, targetModules: "all-linear" }));
const trainDataset = await loadDataset(await rowsFrom(train), tokenizer, base);

async function accuracy() {
  const prompts = test.map(({ prompt }) => tokenizer.encode(prompt));
  const texts = await generate(model, prompts, { maxNewTokens: 8, temperature: 0, tokenizer, stopStrings: ["."] });
  const answers = texts.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
  console.log(
    test
      .slice(1, 4)
      .map(({ prompt }, i) => prompt + answers[i + 1])
      .join("   "),
  );
  return answers.filter((answer, i) => answer.trim() === test[i].completion.trim()).length / test.length;
}
const before = await accuracy();
const args = { numTrainEpochs: 3, perDeviceTrainBatchSize: 8, learningRate: 4e-3 };
const { lastLoss } = await new Trainer({ model, trainDataset, args }).train();
const after = await accuracy();
console.log(`right dates: ${before.toFixed(2)} before, ${after.toFixed(2)} after; last loss ${lastLoss.toFixed(2)}`);
if (after < 0.5) throw new Error("too little was learned");
