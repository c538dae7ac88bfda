// Two adapters on one base, served at once: each prompt of a batch has its own, and requests run side by side without mixing.
import { AutoModelForCausalLM, AutoTokenizer, generate, getPeftModel, loadDataset, lora, Trainer } from "lorikeet";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const base = await AutoModelForCausalLM.fromPretrained("examples/pocket");
const config = lora({ r: 8, targetModules: "all-linear" });
const model = getPeftModel(base, config, { adapterName: "sonnets" });
model.addAdapter("mails", config);

const rows = { sonnets: "examples/sonnets/valid.jsonl", mails: "examples/programs/data/mails.jsonl" };
for (const [name, file] of Object.entries(rows)) {
  model.setAdapter(name);
  model.setTrainable(name, true);
  const trainDataset = await loadDataset(file, tokenizer, base);
  const args = { maxSteps: 12, perDeviceTrainBatchSize: 3, learningRate: 4e-3 };
  const { lastLoss } = await new Trainer({ model, trainDataset, args }).train();
  console.log(`${name}: last loss ${lastLoss.toFixed(2)}`);
}

const prompt = tokenizer.encode("Shall I");
const adapterNames = ["sonnets", "mails", "__base__"];
const options = { maxNewTokens: 24, temperature: 0 };
const together = await generate(model, [prompt, prompt, prompt], { ...options, adapterNames });
for (const [i, ids] of together.entries()) console.log(`${adapterNames[i]}: Shall I${tokenizer.decode(ids)}`);

const requests = adapterNames.map((name) => generate(model, [prompt], { ...options, adapterNames: [name] }));
const alone = (await Promise.all(requests)).flat();
if (String(alone) !== String(together)) throw new Error("requests at once wrote other texts");
if (new Set(together.map(String)).size < 3) throw new Error("the adapters write the same");
