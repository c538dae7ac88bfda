// An own contrastive loop: keywords should find the lines they are from, measured on sonnets that it has not seen.
import { AdamW, AutoModelForCausalLM, AutoTokenizer, concatenate, getPeftModel, lora, readRows, Tape } from "lorikeet";
import * as ops from "lorikeet/ops";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("examples/pocket"), lora({ r: 8, targetModules: "all-linear" }));
async function pairsOf(file) {
  const poems = (await readRows(file)).map(({ text }) => text.split("\n"));
  const texts = [0, 4, 8].flatMap((line) => poems.map((lines) => lines.slice(line, line + 2).join(" ")));
  const keywords = (text) => text.match(/[a-z]{5,}/g).sort();
  return texts.map((text) => [keywords(text).join(" "), text].map((each) => tokenizer.encode(each)));
}
const [train, valid] = [await pairsOf("examples/sonnets/train.jsonl"), await pairsOf("examples/sonnets/valid.jsonl")];
function cosines(tape, pairs) {
  const [keywords, lines] = [0, 1].map((part) => {
    const batch = concatenate(pairs.map((pair) => pair[part]));
    const sums = ops.segmentSum(model.hidden(tape, batch), batch.starts);
    return ops.div(sums, ops.norm(sums, 1));
  });
  return ops.matmul(keywords, lines, { transposeB: true }); // [pairs, pairs]
}
function accuracy() {
  const { data, shape } = Tape.once(model.engine, {}, (tape) => tape.read(cosines(tape, valid)));
  const best = valid.map((_, i) => data.subarray(i * shape[1], (i + 1) * shape[1])).map((row) => row.indexOf(Math.max(...row)));
  return best.filter((found, i) => found === i).length / valid.length;
}
const [before, steps, size] = [accuracy(), 20, 16];
const optimizer = new AdamW(model.engine, model.namedTrainable());
for (let step = 0; step < steps; step++) {
  const pairs = train.slice(step * size, (step + 1) * size);
  optimizer.zeroGrad();
  Tape.once(model.engine, { recording: true, training: true, seed: [0, step] }, (tape) => {
    tape.backward(ops.crossEntropy(ops.div(cosines(tape, pairs), 0.05), [...pairs.keys()]));
  });
  optimizer.step(1e-3);
}
const after = accuracy();
console.log(`keywords that find their lines among ${valid.length}: ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
if (after < before + 0.2) throw new Error("too little was learned");
