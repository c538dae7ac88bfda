/**
 * The jax-js contestant on its WebAssembly backend: a fully jitted LoRA step of a Llama. In Node it has one thread.
 *
 *   echo | node bench/peers/jax.js '{"config": {...}, "rows": [...], "r": 8}'
 *
 * Each use of an array gives up a reference, so whatever is used again is passed as `.ref`.
 */
import { readFileSync } from "node:fs";
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { takeTurns, task } from "../turns.js";
import { adaptersOf, matricesOf, rotaryTables, sizesOf } from "./llama-sizes.js";

const { config, rows, r = 8, slice } = task();
await init("wasm");
defaultDevice("wasm");

const { batch, tokens, width, heads, headDim, layers } = sizesOf(config, rows);
const scaling = 2; // lora_alpha is 2r
const array = (values, shape) => np.array(values).reshape(shape);
const matrix = ({ values, shape }) => array(values, shape); // [out, in]
const mapped = (object, make) => Object.fromEntries(Object.entries(object).map(([name, each]) => [name, make(each)]));
const frozen = mapped(matricesOf(config), matrix);
const tables = rotaryTables({ tokens, headDim }).map((table) => array(table, [tokens, 1, headDim]));
const ids = np.array(Int32Array.from(rows.flatMap((row) => row.inputIds)));
const targets = np.array(Int32Array.from(rows.flatMap((row) => row.labels.slice(1))));

/** x·wᵀ. */
const times = (x, w) => np.matmul(x, np.transpose(w));

function norm(x) {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(mean.add(config.rms_norm_eps))));
}

function rotate(x, [cos, sin]) {
  const [low, high] = np.split(x.ref, 2, -1);
  return x.mul(cos.ref).add(np.concatenate([high.neg(), low], -1).mul(sin.ref));
}

function block(x, i, { weights, adapters, tables }) {
  const linear = (x, name) => {
    const w = weights[`model.layers.${i}.${name}`].ref;
    const adapter = adapters[`model.layers.${i}.${name}`];
    if (!adapter) return times(x, w);
    const low = times(times(x.ref, adapter.a.ref), adapter.b.ref).mul(scaling);
    return times(x, w).add(low);
  };
  const normed = norm(x.ref);
  const [q, k, v] = ["q", "k", "v"].map((name) =>
    linear(normed.ref, `self_attn.${name}_proj`).reshape([batch, tokens, heads, headDim]),
  );
  normed.dispose();
  const mixed = nn.dotProductAttention(rotate(q, tables), rotate(k, tables), v, { isCausal: true });
  const after = x.add(linear(mixed.reshape([batch * tokens, width]), "self_attn.o_proj"));
  const inner = norm(after.ref);
  const gated = nn.silu(linear(inner.ref, "mlp.gate_proj")).mul(linear(inner, "mlp.up_proj"));
  return after.add(linear(gated, "mlp.down_proj"));
}

/**
 * Mean loss of the adapters; everything else is also passed as arguments, so that nothing is folded into the compiled
 * code.
 */
function loss(adapters, { weights, tables, ids, targets }) {
  let x = np.take(weights["model.embed_tokens"].ref, ids, 0);
  for (let i = 0; i < layers; i++) x = block(x, i, { weights, adapters, tables });
  const labelled = norm(x)
    .reshape([batch, tokens, width])
    .slice([], [0, tokens - 1]);
  const logits = times(labelled.reshape([batch * (tokens - 1), width]), weights.lm_head.ref);
  const all = nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, config.vocab_size)).sum();
  tree.dispose([weights, tables, adapters]);
  return all.div(-batch * (tokens - 1));
}

/** AdamW without weight decay; `t` counts steps from 1. */
function update(param, gradient, m, v, t) {
  const [beta1, beta2, rate, eps] = [0.9, 0.999, 1e-3, 1e-8];
  const first = m.mul(beta1).add(gradient.ref.mul(1 - beta1));
  const second = v.mul(beta2).add(np.square(gradient).mul(1 - beta2));
  const corrected = (moment, beta) => moment.div(np.subtract(1, np.power(beta, t.ref)));
  const denominator = np.sqrt(corrected(second.ref, beta2)).add(eps);
  const changed = param.sub(corrected(first.ref, beta1).div(denominator).mul(rate));
  t.dispose();
  return [changed, first, second];
}

const compiled = jit((state, given) => {
  const [value, gradients] = valueAndGrad(loss)(tree.ref(state.adapters), given);
  const lists = [state.adapters, gradients, state.m, state.v].map((each) => tree.flatten(each));
  const [params, ...rest] = lists.map(([leaves]) => leaves);
  const t = state.t.add(1);
  const updated = params.map((param, i) => update(param, ...rest.map((leaves) => leaves[i]), t.ref));
  const part = (index) =>
    tree.unflatten(
      lists[0][1],
      updated.map((each) => each[index]),
    );
  return [value, { adapters: part(0), m: part(1), v: part(2), t }];
});

const adapters = mapped(adaptersOf(config, r), ({ a, b }) => ({ a: matrix(a), b: matrix(b) }));
const zeros = () => tree.map((x) => np.zeros(x.shape), adapters);
let state = { m: zeros(), v: zeros(), adapters, t: np.array(0) };
const given = { weights: frozen, tables, ids, targets };

async function step() {
  const [value, next] = compiled(state, tree.ref(given));
  state = next;
  return (await value.data())[0];
}

const { version } = JSON.parse(readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"));
const facts = () => ({ name: "jax-js", version: `jax-js ${version}`, threads: 1, tokens: batch * tokens });
await takeTurns(step, { slice, facts });
