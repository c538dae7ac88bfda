/** LoRA steps of one network in different programs, prepared for a contest. */
import { here, nodeFor } from "./programs.js";
import { benchRows } from "./rows.js";
import { shapes } from "./shapes.js";

/**
 * The work: a shape with rows for it, r 8. `tokens`, `batch` and `data` as in `lorikeet bench step`. `pass` is "step", or "forward" for
 * a plain forward pass of an embedding model.
 */
export function stepTask(shape, { data = "random", pass = "step", ...size } = {}) {
  const { config, tokens, batch } = { ...shapes[shape], ...size };
  const rows = benchRows({ data, tokens, batch, vocabSize: config.vocab_size, encoderDecoder: false });
  return { shape, config, rows, pass, r: 8 };
}

/** Lorikeet, under the name of its build and, where they are not float32, its weights: "relaxed", "baseline int8". */
export function ours(task, { build = "relaxed", threads = 1, weights = "f32" } = {}) {
  return {
    name: weights === "f32" ? build : `${build} ${weights}`,
    command: [...nodeFor(build), here("ours.js")],
    task: { ...task, build, threads, weights },
    agrees: weights === "f32",
  };
}

/** PyTorch with PEFT, where there is one. */
export function pytorch(task, python, threads = 1) {
  const command = python
    ? [python, here("peers/pytorch.py")]
    : [process.execPath, "--eval", "throw Error('no Python')"];
  return { name: "pytorch", command, task: { ...task, threads } };
}

/** A peer of bench/peers written in JavaScript, in the Node of the relaxed build. */
export function peer(name, file, task) {
  return { name, command: [...nodeFor("relaxed"), here(`peers/${file}`)], task };
}
