// An own DPO loop: learns to prefer "thou" to "you", measured on sonnets that it has not seen.
import { AdamW, AutoModelForCausalLM, AutoTokenizer, concatenateLabelled, getPeftModel, lora, readRows, Tape } from "lorikeet";
import * as ops from "lorikeet/ops";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("examples/pocket"), lora({ r: 8, targetModules: "all-linear" }));
const modern = { thy: "your", thou: "you", thee: "you", thine: "yours" };
const example = (answer) => tokenizer.encodeSpans(answer, [{ start: 0, end: answer.length }]); // all of it is the answer
async function pairsOf(file) {
  const lines = (await readRows(file)).flatMap(({ text }) => text.split("\n")).filter((line) => /\bth(y|ou|ee|ine)\b/.test(line));
  const modernized = (line) => line.replace(/\bth(y|ou|ee|ine)\b/g, (word) => modern[word]);
  return lines.map((line) => ({ chosen: line, rejected: modernized(line) }));
}
const batchOf = (pairs) => concatenateLabelled(["chosen", "rejected"].flatMap((side) => pairs.map((pair) => example(pair[side]))));
const logProbs = (batch) => Tape.once(model.engine, {}, (tape) => tape.download(ops.sequenceLogProbs(model, tape, batch)));
const [train, valid] = [await pairsOf("examples/sonnets/train.jsonl"), await pairsOf("examples/sonnets/valid.jsonl")];
function accuracy() {
  const all = logProbs(batchOf(valid));
  return valid.filter((_, i) => all[i] > all[valid.length + i]).length / valid.length;
}
const [before, steps, size] = [accuracy(), 20, 8];
const optimizer = new AdamW(model.engine, model.namedTrainable());
for (let step = 0; step < steps; step++) {
  const batch = batchOf(train.slice(step * size, (step + 1) * size));
  const reference = model.disableAdapter(() => logProbs(batch));
  optimizer.zeroGrad();
  Tape.once(model.engine, { recording: true, training: true, seed: [0, step] }, (tape) => {
    const gain = ops.sub(ops.sequenceLogProbs(model, tape, batch), ops.constant(tape, reference, [2 * size, 1]));
    const margin = ops.sub(ops.slice(gain, 0, size), ops.slice(gain, size, 2 * size));
    tape.backward(ops.mul(ops.mean(ops.logSigmoid(ops.mul(margin, 0.5))), -1));
  });
  optimizer.step(2e-3 * (1 - step / steps));
}
const after = accuracy();
console.log(`prefers Shakespeare's word in ${valid.length} lines: ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
if (after < before + 0.2) throw new Error("too little was learned");
