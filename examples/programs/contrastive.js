// A contrastive loop of one's own: the halves of a sonnet should find each other, measured on sonnets that it has not seen.
import { AdamW, AutoModelForCausalLM, AutoTokenizer, concatenate, getPeftModel, lora, readRows, Tape } from "lorikeet";
import * as ops from "lorikeet/ops";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("examples/pocket"), lora({ r: 8, targetModules: "all-linear" }));
const halves = async (file) =>
  (await readRows(file)).map(({ text }) => {
    const lines = text.split("\n");
    return [lines.slice(0, 3), lines.slice(3, 6)].map((half) => tokenizer.encode(half.join("\n")));
  });
const [train, valid] = [await halves("examples/sonnets/train.jsonl"), await halves("examples/sonnets/valid.jsonl")];

/** Cosines of all first halves with all second halves, [pairs, pairs]. */
const cosines = (tape, pairs) => {
  const [first, second] = [0, 1].map((half) => {
    const batch = concatenate(pairs.map((pair) => pair[half]));
    const sums = ops.segmentSum(model.hidden(tape, batch), batch.starts);
    return ops.div(sums, ops.norm(sums, 1));
  });
  return ops.matmul(first, second, { transposeB: true });
};
const accuracy = () => {
  const { data, shape } = Tape.once(model.engine, {}, (tape) => tape.read(cosines(tape, valid)));
  const rows = valid.map((_, i) => data.subarray(i * shape[1], (i + 1) * shape[1]));
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === i).length / valid.length;
};
const [before, steps, size] = [accuracy(), 24, 16];
const optimizer = new AdamW(model.engine, model.namedTrainable());
for (let step = 0; step < steps; step++) {
  const pairs = Array.from({ length: size }, (_, i) => train[(step * size + i) % train.length]);
  optimizer.zeroGrad();
  Tape.once(model.engine, { recording: true, training: true, seed: [0, step] }, (tape) => {
    tape.backward(ops.crossEntropy(ops.div(cosines(tape, pairs), 0.05), [...pairs.keys()]));
  });
  optimizer.step(1e-3);
}
const after = accuracy();
console.log(`finds its other half, of ${valid.length}: ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
