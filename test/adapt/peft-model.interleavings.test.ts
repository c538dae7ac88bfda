/**
 * Calls on one model and one engine at the same time, in random order: each gives what it gives alone, to the bit, or a
 * StateError, and memory returns to where it was. INTERLEAVINGS is their number, SEED the first seed.
 */
import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { StateError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenate } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { evaluateLoss } from "../../src/train/evaluation/evaluate.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";

const COUNT = Number(process.env.INTERLEAVINGS ?? 150);
const SEED = Number(process.env.SEED ?? 1);

const config = {
  ...{ model_type: "llama", vocab_size: 13, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 16, initializer_range: 0.4 },
};
const quiet = { onWarning: () => {} };
const rows = [3, 9, 1, 4, 7].map((first) => {
  const ids = Int32Array.of(first, 5, 2, 11);
  return { inputIds: ids, labels: ids };
});
const batch = concatenate([[3, 5, 2], [9]]);

type Peft = PeftModel<CausalLM>;

async function adapted(engine: Engine): Promise<Peft> {
  const base = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 1, weights: "stored" });
  const whole = lora({ r: 2, loraAlpha: 8, initLoraWeights: false });
  const peft = getPeftModel(base, whole, { ...quiet, adapterName: "a", seed: 3 });
  peft.addAdapter("b", lora({ r: 1, loraAlpha: 8, initLoraWeights: false, seed: 4, targetModules: ["q_proj"] }));
  peft.setTrainable(["a", "b"], true);
  return peft;
}

/** Awaits some turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function hash(parts: Iterable<Float32Array | Uint8Array>): string {
  const sum = createHash("sha1");
  for (const part of parts) sum.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return sum.digest("hex");
}

// ---- calls

/** A call on a model; `random` decides how long it takes. */
type Call<T> = (peft: Peft, random: Philox) => T;

/** These give a result that depends on the state of the model when they begin. */
const readers: Record<string, (peft: Peft, random: Philox) => Promise<string>> = {
  forward: async (peft) => hash([peft.forward(batch).data]),
  routed: async (peft) => hash([peft.forward(batch, { adapterNames: ["a", "__base__"] }).data]),
  generate: async (peft) =>
    String(await generate(peft, [3, 5, 2], { maxNewTokens: 5, doSample: false, eosTokenId: null })),
  evaluate: async (peft, random) => {
    const onProgress = () => turns(random.below(3));
    return String((await evaluateLoss(peft, rows, { batchSize: 2, onProgress })).loss);
  },
  save: async (peft, random) => hash((await saved(peft, () => turns(random.below(3)))).values()),
  train: async (peft, random) => {
    const args = { maxSteps: 3, perDeviceTrainBatchSize: 2, learningRate: 0.05, seed: 2 };
    let contents = "";
    const onProgress = async () => {
      contents = hash(peft.adapterState(peft.activeAdapters[0]!).values());
      await turns(random.below(3));
    };
    const { trainLoss: loss } = await new Trainer({ model: peft, trainDataset: rows, args, onProgress }).train();
    return `${loss} ${contents}`;
  },
};

const changes: Record<string, Call<unknown>> = {
  activateA: (peft) => peft.setAdapter("a"),
  activateB: (peft) => peft.setAdapter("b"),
  merge: (peft) => peft.mergeAdapter(),
  unmerge: (peft) => peft.unmergeAdapter(),
  disable: (peft, random) => peft.disableAdapter(() => turns(random.below(4))),
  disableAtOnce: (peft) => peft.disableAdapter(() => peft.forward(batch)),
  load: (peft, random) => peft.loadAdapter(files, `c${random.below(1000)}`),
  swap: (peft) => peft.hotswapAdapter(files, "a"),
  add: (peft, random) => peft.addAdapter(`c${random.below(1000)}`, lora({ r: 1 })),
  remove: (peft) => peft.deleteAdapter("b"),
  dispose: (peft) => peft.dispose(),
  disposeBase: (peft) => peft.base.dispose(),
};

/** The files of adapter "a", which awaits `pause` before each. */
async function saved(peft: Peft, pause: () => Promise<void>): Promise<Map<string, Uint8Array>> {
  const made = new Map<string, Uint8Array>();
  const write = async (file: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => {
    await pause();
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk.slice());
    made.set(file.replace("a/", ""), Buffer.concat(parts));
  };
  await peft.savePretrained({ name: "memory", write }, { selectedAdapters: ["a"] });
  return made;
}

let files: Map<string, Uint8Array>;

beforeAll(async () => {
  using engine = await createEngine({ build: "baseline" });
  files = await saved(await adapted(engine), async () => {});
});

// ---- what they give alone

/** All that a reader's result depends on. */
function stateOf(peft: Peft) {
  const { activeAdapters: active, mergedAdapters: merged, adaptersEnabled: enabled, peftConfig } = peft;
  const states = ["a", "b"]
    .filter((name) => peftConfig.has(name))
    .map((name) => [name, peft.adapterState(name)] as const);
  return { active, merged, enabled, states };
}

const alone = new Map<string, Promise<string>>();
const oracle = createEngine({ build: "baseline" });

/** The result of a reader on a model in this state, when nothing else runs. */
async function resultAlone(
  kind: string,
  { active, merged, enabled, states }: ReturnType<typeof stateOf>,
): Promise<string> {
  const contents = states.map(([name, state]) => `${name} ${hash(state.values())}`);
  const key = [kind, active, merged, enabled, ...contents].join(" | ");
  const run = async () => {
    const peft = await adapted(await oracle);
    using _base = peft.base;
    for (const [name, state] of states) peft.loadAdapterState(name, state);
    peft.setAdapter(active);
    if (merged.length > 0) peft.mergeAdapter({ adapterNames: merged });
    const call = () => readers[kind]!(peft, new Philox(0));
    return await (enabled ? call() : peft.disableAdapter(call));
  };
  if (!alone.has(key)) alone.set(key, run());
  return alone.get(key)!;
}

// ---- interleavings

interface Tally {
  readonly done: Record<string, number>;
  readonly refused: Record<string, number>;
}

async function interleaving(engine: Engine, seed: number, tally: Tally): Promise<void> {
  const random = new Philox(seed);
  const peft = await adapted(engine);
  const neighbor = await adapted(engine);
  const log: string[] = [];
  const count = (of: Record<string, number>, kind: string) => {
    of[kind] = (of[kind] ?? 0) + 1;
  };
  const kinds = [...Object.keys(readers), ...Object.keys(readers), ...Object.keys(changes)];
  const one = async (kind: string, wait: number, own: Philox) => {
    await turns(wait);
    log.push(kind);
    try {
      if (kind in changes) await changes[kind]!(peft, own);
      else {
        const state = stateOf(peft);
        const result = await readers[kind]!(peft, own);
        expect(result, `${kind} in seed ${seed}: ${log.join(", ")}`).toBe(await resultAlone(kind, state));
      }
      count(tally.done, kind);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      expect(error.message).not.toBe("");
      count(tally.refused, kind);
    }
  };
  const before = stateOf(neighbor);
  const others = Array.from({ length: 3 + random.below(4) }, (_, i) =>
    one(kinds[random.below(kinds.length)]!, random.below(5), new Philox(seed, i)),
  );
  // Nothing that happens to one model is noticed by another on the same engine.
  const training = readers.train!(neighbor, new Philox(seed, 99));
  await Promise.all(others);
  expect(await training).toBe(await resultAlone("train", before));
  for (const model of [peft, neighbor]) {
    model.dispose();
    model.base.dispose();
  }
}

test(`${COUNT} interleavings of calls: each gives what it gives alone, or a StateError, and no memory is kept`, async () => {
  using engine = await createEngine({ build: "baseline" });
  const tally: Tally = { done: {}, refused: {} };
  for (let i = 0; i < COUNT; i++) {
    await interleaving(engine, SEED + i, tally);
    expect(engine.memory.usedBytes - engine.arenaBytes, `after seed ${SEED + i}`).toBe(0);
  }
  if (process.env.INTERLEAVINGS) console.log(tally);
  for (const kind of [...Object.keys(readers), ...Object.keys(changes)])
    expect(tally.done[kind], kind).toBeGreaterThan(0);
  expect(Object.keys(tally.refused).length).toBeGreaterThan(5);
});
