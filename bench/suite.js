/**
 * The suite: our own figures, the same program in every host. It imports nothing but the package and measures with performance.now(), so
 * that a page runs it as well as a command line does. See commands/suite.js and hosts.js.
 */
import { Decoding } from "../dist/generate/decoding.js";
import { AutoModelForCausalLM, createEngine, saveModel, UnsupportedError } from "../dist/index.js";
import { BenchStep, modelOfShape } from "./lora-step.js";
import { elapsedMs, measurePeak, ReadRate, timed } from "./measure.js";
import { benchRows } from "./rows.js";
import { shapes } from "./shapes.js";
import { summary } from "./statistics.js";

const BUILDS = ["baseline", "relaxed", "wide"];
const LEAST_SAMPLES = 3;
const MOST_SAMPLES = 15;
const B_NK = 1;

/**
 * Measures every build that the host supports on one thread, and the last of them on `threads`, by default one per core. `report`
 * receives each figure at once, and { build, missing } for a build that is not supported. `short` has few samples of the smallest
 * networks. Under two minutes on a machine that has nothing else to do.
 *
 * Returns { host, seconds, missing, figures }; a figure is { build, threads, name, unit, value, spread, samples }: a median, and the
 * interquartile range over it. `missing` has the reason why a build is not measured.
 */
export async function runSuite({ report = () => {}, builds = BUILDS, threads, short = false } = {}) {
  const began = elapsedMs();
  const [figures, missing] = [[], {}];
  const found = (figure) => {
    figures.push(figure);
    report(figure);
  };
  let last = null;
  const measureIn = async (options, large) => {
    const engine = await createEngine(options);
    try {
      await new Setting(engine, short, found).measure(large && !short);
    } finally {
      engine.dispose();
    }
    return engine;
  };
  const supported = [];
  for (const build of builds) {
    try {
      const start = elapsedMs();
      const engine = await createEngine({ build, threads: 1 });
      supported.push(engine.build);
      new Setting(engine, short, found).figure("first engine ready", "ms", [elapsedMs() - start]);
      engine.dispose();
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      missing[build] = error.message;
      report({ build, missing: error.message });
    }
  }
  for (const build of supported) last = await measureIn({ build, threads: 1 }, build === supported.at(-1));
  const sizes = threads === undefined ? {} : { threads };
  const several = last && (await createEngine({ build: last.build, ...sizes }));
  several?.dispose();
  if (several?.threads > 1) await measureIn({ build: last.build, threads: several.threads }, true);
  else if (last) missing["several threads"] = "this host computes on one thread";
  return { host: hostName(), seconds: (elapsedMs() - began) / 1000, missing, figures };
}

/** The host and its version. */
export function hostName() {
  const { Deno, Bun, process, navigator } = globalThis;
  if (Deno) return `deno ${Deno.version.deno}`;
  if (Bun) return `bun ${Bun.version}`;
  if (process?.versions?.node) return `node ${process.versions.node}`;
  return /(?:Chrome|Firefox|Version)\/[\d.]+/.exec(navigator?.userAgent ?? "")?.[0].replace("/", " ") ?? "a browser";
}

/** One build on some threads. */
class Setting {
  #engine;
  #budget;
  #short;
  #found;

  constructor(engine, short, found) {
    this.#engine = engine;
    this.#short = short;
    this.#budget = short ? 100 : 500;
    this.#found = found;
  }

  async measure(large) {
    this.#machine();
    this.#products();
    for (const [shape, weights, size] of [
      ["tiny", "f32"],
      ["llama-260k", "f32"],
      ...(this.#short
        ? []
        : [
            ["llama-15m", "f32", { batch: 2 }],
            ["llama-15m", "int8", { batch: 2 }],
            ["minilm", "f32"],
          ]),
      ...(large
        ? [
            ["gpt2-124m", "f32", { batch: 1, tokens: 128 }],
            ["gpt2-124m", "int8", { batch: 1, tokens: 128 }],
          ]
        : []),
    ])
      await this.#network(shape, weights, size);
    await this.#files(this.#short ? "tiny" : "llama-15m");
  }

  figure(name, unit, samples) {
    const { build, threads } = this.#engine;
    this.#found({ build, threads, name, unit, ...summary(samples), samples });
  }

  /** Seconds of each run, after one that warms up. */
  #seconds(work) {
    work();
    const samples = [];
    const until = elapsedMs() + this.#budget;
    while (samples.length < LEAST_SAMPLES || (elapsedMs() < until && samples.length < MOST_SAMPLES))
      samples.push(timed(work));
    return samples;
  }

  #machine() {
    const several = (measure) => Array.from({ length: LEAST_SAMPLES }, measure);
    this.figure(
      "SIMD peak",
      "GFLOP/s",
      several(() => measurePeak(this.#engine, elapsedMs) / 1e9),
    );
    const reading = new ReadRate(this.#engine);
    this.figure(
      "reading memory",
      "GB/s",
      several(() => reading.measure(elapsedMs) / 1e9),
    );
    reading.free();
  }

  /** y = x·Wᵀ of 768 -> 3072. */
  #products() {
    const { kernels, memory } = this.#engine;
    const [width, out] = [768, 3072];
    for (const rows of [256, 64]) {
      const sizes = [rows * width, out * width, rows * out].map((length) => 4 * length);
      const blocks = [...sizes, kernels.matmul_workspace()].map((bytes) => memory.alloc(bytes, "a product"));
      const [x, w, y, workspace] = blocks;
      for (const [i, block] of [x, w].entries()) memory.f32(block, sizes[i] / 4).fill(0.5);
      const none = [0, 0, 0, 0, 0, 0, 0];
      const seconds = this.#seconds(() =>
        kernels.matmul_f32(y, x, w, rows, out, width, width, width, out, B_NK, ...none, workspace, 0, rows, 0, out),
      );
      const name = `product, ${rows} rows of ${width} -> ${out}`;
      this.figure(
        name,
        "GFLOP/s",
        seconds.map((s) => (2 * rows * width * out) / s / 1e9),
      );
      for (const block of blocks) memory.free(block);
    }
  }

  /** A LoRA step, and the writing of tokens where the network writes. */
  async #network(shape, weights, size = {}) {
    const { config, tokens, batch } = { ...shapes[shape], ...size };
    const engine = this.#engine;
    const model = await modelOfShape({ shape, weights, engine });
    const rows = benchRows({ data: "random", tokens, batch, vocabSize: config.vocab_size, encoderDecoder: false });
    const step = new BenchStep(model, rows, { r: 8 });
    this.figure(
      `LoRA step, ${shape} ${weights}, ${batch} x ${tokens} tokens`,
      "ms",
      this.#seconds(() => step.run()).map((s) => 1000 * s),
    );
    step.peft.dispose();
    if (shape === "llama-15m" || shape === "gpt2-124m") this.#decode(model, shape, weights);
    model.dispose();
  }

  #decode(model, shape, weights) {
    const tokens = 8;
    const room = Math.min(model.contextLength - 1, tokens * (MOST_SAMPLES + 1));
    const decoding = new Decoding(model, [{ inputIds: [1], room }]);
    decoding.begin(0);
    const seconds = this.#seconds(() => {
      for (let i = 0; i < tokens; i++) decoding.step([i]);
    });
    decoding[Symbol.dispose]();
    this.figure(
      `writing, ${shape} ${weights}`,
      "tokens/s",
      seconds.map((s) => tokens / s),
    );
  }

  /** A model folder in memory: no disk is measured. */
  async #files(shape) {
    const engine = this.#engine;
    const model = await modelOfShape({ shape, weights: "f32", engine });
    const folder = new Map();
    const [saving, loading] = [[], []];
    for (let i = 0; i < LEAST_SAMPLES + 1; i++) {
      saving.push(await timedAsync(() => saveModel(model, folder)));
      const load = () => AutoModelForCausalLM.fromPretrained(folder, { engine });
      let loaded;
      loading.push(
        await timedAsync(async () => {
          loaded = await load();
        }),
      );
      loaded.dispose();
    }
    model.dispose();
    const megabytes = folder.get("model.safetensors").length / 1e6;
    for (const [name, seconds] of [
      ["saving", saving],
      ["loading", loading],
    ])
      this.figure(
        `${name} ${shape} (${megabytes.toFixed(0)} MB) in memory`,
        "MB/s",
        seconds.slice(1).map((s) => megabytes / s), // the first warms up
      );
  }
}

async function timedAsync(work) {
  const start = elapsedMs();
  await work();
  return (elapsedMs() - start) / 1000;
}
