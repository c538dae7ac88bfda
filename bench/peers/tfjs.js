/**
 * The TensorFlow.js contestant on its WebAssembly backend, one thread: a LoRA step of a Llama.
 *
 *   echo | node bench/peers/tfjs.js '{"config": {...}, "rows": [...], "r": 8, "gradient": "own" | "hand-written"}'
 *
 * Its own gradient of a product asks for a product with a transposed operand, which its backend computes without XNNPACK.
 * "hand-written" gives each linear layer a gradient that avoids it, with a transposed copy of every frozen weight.
 */
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { setThreadsCount, setWasmPaths, version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { takeTurns, task } from "../turns.js";
import { adaptersOf, matricesOf, rotaryTables, sizesOf } from "./llama-sizes.js";

const { config, rows, r = 8, gradient = "own", slice } = task();
setThreadsCount(1);
setWasmPaths(fileURLToPath(new URL("node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url)));
if (!(await tf.setBackend("wasm"))) throw new Error("tfjs has no WebAssembly backend here");

const { batch, tokens, width, heads, headDim, layers } = sizesOf(config, rows);
const scaling = 2; // lora_alpha is 2r
const transposed = ({ values, shape }) => tf.tidy(() => tf.tensor2d(values, shape).transpose());
const frozen = Object.fromEntries(
  Object.entries(matricesOf(config)).map(([name, matrix]) => {
    const back = tf.tensor2d(matrix.values, matrix.shape); // [out, in]
    return [name, { w: transposed(matrix), back }];
  }),
);
const adapters = Object.fromEntries(
  Object.entries(adaptersOf(config, r)).map(([name, { a, b }]) => [
    name,
    { a: tf.variable(transposed(a)), b: tf.variable(transposed(b)) },
  ]),
);
const trained = Object.values(adapters).flatMap(({ a, b }) => [a, b]);
const [cos, sin] = rotaryTables({ tokens, headDim }).map((table) => tf.tensor(table, [1, 1, tokens, headDim]));
const mask = tf.tidy(() =>
  tf.linalg
    .bandPart(tf.ones([tokens, tokens]), -1, 0)
    .sub(1)
    .mul(1e9),
);
const ids = tf.tensor1d(
  rows.flatMap((row) => row.inputIds),
  "int32",
);
const targets = tf.oneHot(
  tf.tensor1d(
    rows.flatMap((row) => row.labels.slice(1)),
    "int32",
  ),
  config.vocab_size,
);

/** x·w for a frozen w [in, out]. */
const times = {
  own: (x, { w }) => tf.matMul(x, w),
  "hand-written": (x, { w, back }) =>
    tf.customGrad((x) => ({ value: tf.matMul(x, w), gradFunc: (dy) => tf.matMul(dy, back) }))(x),
}[gradient];

/** x·w for a trained w. */
const timesTrained = {
  own: (x, w) => tf.matMul(x, w),
  "hand-written": tf.customGrad((x, w, save) => {
    save([x, w]);
    return {
      value: tf.matMul(x, w),
      gradFunc: (dy, [x, w]) => [tf.matMul(dy, tf.transpose(w)), tf.matMul(tf.transpose(x), dy)],
    };
  }),
}[gradient];

function linear(x, name) {
  const y = times(x, frozen[name]);
  const adapter = adapters[name];
  return adapter ? y.add(timesTrained(timesTrained(x, adapter.a), adapter.b).mul(scaling)) : y;
}

const norm = (x) => x.mul(x.square().mean(-1, true).add(config.rms_norm_eps).rsqrt());
const split = (x) => x.reshape([batch, tokens, heads, headDim]).transpose([0, 2, 1, 3]);

function rotate(x) {
  const [low, high] = tf.split(x, 2, -1);
  return x.mul(cos).add(tf.concat([high.neg(), low], -1).mul(sin));
}

function block(x, i) {
  const at = `model.layers.${i}`;
  const normed = norm(x);
  const [q, k, v] = ["q", "k", "v"].map((name) => split(linear(normed, `${at}.self_attn.${name}_proj`)));
  const scores = tf
    .matMul(rotate(q), rotate(k), false, true)
    .mul(headDim ** -0.5)
    .add(mask);
  const mixed = tf
    .matMul(tf.softmax(scores), v)
    .transpose([0, 2, 1, 3])
    .reshape([batch * tokens, width]);
  const after = x.add(linear(mixed, `${at}.self_attn.o_proj`));
  const inner = norm(after);
  const gate = linear(inner, `${at}.mlp.gate_proj`);
  const gated = gate.mul(gate.sigmoid()).mul(linear(inner, `${at}.mlp.up_proj`));
  return after.add(linear(gated, `${at}.mlp.down_proj`));
}

function loss() {
  let x = tf.gather(frozen["model.embed_tokens"].back, ids);
  for (let i = 0; i < layers; i++) x = block(x, i);
  const labelled = norm(x)
    .reshape([batch, tokens, width])
    .slice([0, 0, 0], [batch, tokens - 1, width]);
  const logits = linear(labelled.reshape([batch * (tokens - 1), width]), "lm_head");
  return tf.losses.softmaxCrossEntropy(targets, logits);
}

const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8); // AdamW without weight decay

function step() {
  const found = optimizer.minimize(loss, true, trained);
  const value = found.dataSync()[0];
  found.dispose();
  return value;
}

const facts = () => ({
  name: "tfjs",
  version: `tfjs-backend-wasm ${version_wasm}`,
  threads: 1,
  tokens: batch * tokens,
});
await takeTurns(step, { slice, facts });
