// A DPO loop of one's own: prefers "thou" to "you", and is measured on sonnets that it has not seen.
import { readFile } from "node:fs/promises";
import { AdamW, AutoModelForCausalLM, AutoTokenizer, clipGradNorm, concatenateLabelled, getPeftModel, lora, schedule, Tape } from "lorikeet";
import * as ops from "lorikeet/ops";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("examples/pocket"), lora({ r: 8, targetModules: "all-linear" }));
const modern = { thy: "your", thou: "you", thee: "you", thine: "yours" };
const example = (answer) => tokenizer.encodeSpans(answer, [{ start: 0, end: answer.length }]);
async function pairsOf(file) {
  const sonnets = (await readFile(file, "utf8")).trim().split("\n").map((row) => JSON.parse(row).text);
  const lines = sonnets.flatMap((text) => text.split("\n")).filter((line) => /\bth(y|ou|ee|ine)\b/.test(line));
  return lines.map((line) => [line, line.replace(/\bth(y|ou|ee|ine)\b/g, (word) => modern[word])]);
}
const batchOf = (pairs) => concatenateLabelled([...pairs.map(([chosen]) => example(chosen)), ...pairs.map(([, rejected]) => example(rejected))]);
const logProbs = (batch) => Tape.once(model.engine, {}, (tape) => tape.download(ops.sequenceLogProbs(model, tape, batch)));
const [train, valid] = [await pairsOf("examples/sonnets/train.jsonl"), await pairsOf("examples/sonnets/valid.jsonl")];
const accuracy = () => {
  const all = logProbs(batchOf(valid));
  return valid.filter((_, i) => all[i] > all[valid.length + i]).length / valid.length;
};

const [before, steps, size] = [accuracy(), 20, 8];
const optimizer = new AdamW(model.engine, model.namedTrainable());
const rate = schedule("cosine", { steps, warmupSteps: 2 });
for (let step = 0; step < steps; step++) {
  const batch = batchOf(train.slice(step * size, (step + 1) * size));
  const reference = model.disableAdapter(() => logProbs(batch));
  optimizer.zeroGrad();
  const loss = Tape.once(model.engine, { recording: true, training: true, seed: [0, step] }, (tape) => {
    const gain = ops.sub(ops.sequenceLogProbs(model, tape, batch), ops.constant(tape, reference, [2 * size, 1]));
    const margin = ops.sub(ops.slice(gain, 0, size), ops.slice(gain, size, 2 * size));
    const loss = ops.mul(ops.mean(ops.logSigmoid(ops.mul(margin, 0.5))), -1);
    tape.backward(loss);
    return tape.download(loss)[0];
  });
  clipGradNorm(model.engine, model.namedTrainable().values(), 1);
  optimizer.step(2e-3 * rate(step));
  if (step % 5 === 4) console.log(`step ${step + 1}  loss ${loss.toFixed(3)}`);
}
const after = accuracy();
console.log(`prefers Shakespeare's word: ${before.toFixed(2)} before, ${after.toFixed(2)} after (${valid.length} unseen lines)`);
