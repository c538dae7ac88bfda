/**
 * Compares the speed of two built trees: runs the main cases of both in alternation.
 *
 *   node bench/compare.mjs OLD_TREE NEW_TREE [--only step-gpt2,matmul] [--build baseline] [--rounds 1]
 *
 * For each case it prints the median of new time over old time, over pairs of neighboring turns, and the 95 % interval of that median.
 * It exits with 1 when an interval lies above 1.02 as a whole: slower by more than 2 %. `--rounds` multiplies the turns of each case.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { contest } from "./contest.js";
import { stepTask } from "./contestants.js";
import { nodeFor, run, versionOf } from "./programs.js";
import { ratioOf } from "./ratio.js";

const LIMIT = 1.02;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    build: { type: "string", default: "baseline" },
    rounds: { type: "string", default: "1" },
  },
});
if (positionals.length !== 2) throw new Error("expected two folders: node bench/compare.mjs OLD_TREE NEW_TREE");
const trees = { old: resolve(positionals[0]), new: resolve(positionals[1]) };
const { build } = flags;
const often = (turns) => Math.max(1, Math.round(turns * Number(flags.rounds)));

/** One sequence of 256 tokens where the whole batch would take too long. */
const step = (shape, { batch, threads = 1, weights = "f32", turns }) => {
  const task = { ...stepTask(shape, { batch }), build, threads, weights };
  return () => inTurns("ours.js", task, turns);
};
const product = (rows, width, out) => () => inTurns("ours-matmul.js", { rows, in: width, out, slice: 200 }, 15);
const command =
  (key, turns, ...args) =>
  () =>
    processes(key, turns, args);

/** Each returns pairs of times, [old, new]. */
const cases = {
  "step-gpt2": step("gpt2-124m", { batch: 1, turns: 7 }),
  "step-gpt2-int8": step("gpt2-124m", { batch: 1, weights: "int8", turns: 7 }),
  "step-llama-15m": step("llama-15m", { batch: 1, turns: 15 }),
  "step-llama-15m-2-threads": step("llama-15m", { batch: 1, threads: 2, turns: 15 }),
  "step-llama-260k": step("llama-260k", { turns: 15 }),
  "matmul-256": product(256, 768, 3072),
  "matmul-64": product(64, 768, 768),
  "decode-gpt2": command("msPerToken", 7, "decode", "--shape", "gpt2-124m", "--tokens", 8, "--rounds", 5),
  "decode-gpt2-int8": command("msPerToken", 7, "decode", "--shape", "gpt2-124m", "--weights", "int8", "--rounds", 5),
  start: command("firstStepMs", 25, "start", "--shape", "llama-260k", "--batch", 1, "--rounds", 1),
};

async function inTurns(file, task, turns) {
  const contestants = Object.entries(trees).map(([name, tree]) => ({
    ...{ name, task },
    command: [...nodeFor(build), resolve(tree, "bench", file)],
  }));
  const results = await contest(contestants, often(turns), () => {});
  for (const [name, { missing }] of Object.entries(results)) if (missing) throw new Error(`${trees[name]}: ${missing}`);
  return results.old.turns.map(({ ms }, i) => [ms, results.new.turns[i].ms]);
}

/** Fresh processes; the order alternates between pairs. */
function processes(key, turns, args) {
  const measure = (tree) => {
    const main = [...nodeFor(build), resolve(tree, "dist/cli/main.js"), "bench"];
    return JSON.parse(run([...main, ...args.map(String), "--build", build, "--threads", "1", "--json"]))[key];
  };
  return Array.from({ length: often(turns) }, (_, i) => {
    const order = i % 2 ? ["new", "old"] : ["old", "new"];
    const found = Object.fromEntries(order.map((name) => [name, measure(trees[name])]));
    return [found.old, found.new];
  });
}

const names = flags.only?.split(",") ?? Object.keys(cases);
const unknown = names.filter((name) => !Object.hasOwn(cases, name));
if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: the cases are ${Object.keys(cases).join(", ")}`);

console.log(`new time / old time, ${build} build, node ${versionOf(nodeFor(build))}`);
let slower = 0;
for (const name of names) {
  const { ratio, low, high, old, pairs } = ratioOf(await cases[name]());
  const verdict = low > LIMIT ? "SLOWER" : high > LIMIT && ratio > LIMIT ? "unclear: measure again" : "";
  if (low > LIMIT) slower++;
  const interval = `[${low.toFixed(3)} .. ${high.toFixed(3)}]`;
  console.log(
    `${name.padEnd(26)} ${ratio.toFixed(3)} ${interval}  ${pairs} pairs, old ${old.toFixed(2)} ms  ${verdict}`,
  );
}
process.exitCode = slower > 0 ? 1 : 0;
