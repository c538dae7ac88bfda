// Fine-tunes the bundled base on sonnets with LoRA, keeps the best adapter, and reads it back.
import { AutoModelForCausalLM, AutoTokenizer, generate, getPeftModel, loadDataset, lora, PeftModel, Trainer } from "lorikeet";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const base = await AutoModelForCausalLM.fromPretrained("examples/pocket");
const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16, targetModules: "all-linear" }));
model.printTrainableParameters();

const trainer = new Trainer({
  model,
  trainDataset: await loadDataset("examples/sonnets/train.jsonl", tokenizer, base),
  evalDataset: await loadDataset("examples/sonnets/valid.jsonl", tokenizer, base),
  outputDir: "runs/fine-tune",
  args: {
    maxSteps: 20,
    perDeviceTrainBatchSize: 4,
    learningRate: 4e-3,
    evalSteps: 10,
    loadBestModelAtEnd: true,
    overwriteOutputDir: true,
  },
  onProgress: ({ step, steps, loss }) => step % 5 === 0 && console.log(`step ${step}/${steps}  loss ${loss.toFixed(3)}`),
});
const before = await trainer.evaluate();
const { best } = await trainer.train();
const after = await trainer.evaluate();
console.log(`perplexity ${before.perplexity.toFixed(1)} before, ${after.perplexity.toFixed(1)} after, best at step ${best.step}`);

const again = await PeftModel.fromPretrained(await AutoModelForCausalLM.fromPretrained("examples/pocket"), "runs/fine-tune/best");
const options = { maxNewTokens: 40, temperature: 0.7, seed: 1 };
const texts = await Promise.all([model, again].map((each) => generate(each, tokenizer.encode("Shall I"), options)));
console.log(`Shall I${tokenizer.decode(texts[0]).replaceAll("\n", " / ")}`);
if (String(texts[0]) !== String(texts[1])) throw new Error("the saved adapter writes another text");
if (after.perplexity > before.perplexity * 0.7) throw new Error("too little was learned");
