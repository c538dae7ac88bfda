/** One thread of WebAssembly against other WebAssembly libraries. */
import { contest, timesFaster, timesLine } from "../contest.js";
import { ours, peer, stepTask } from "../contestants.js";
import { here, nodeFor } from "../programs.js";
import { row } from "../report.js";

const BARS = { "stock tfjs": 10, "tfjs with a hand-written gradient": 3.5, "jax-js": 10 };

export async function measure({ rounds, log }) {
  const task = stepTask("tiny");
  const peers = [
    peer("stock tfjs", "tfjs.js", { ...task, gradient: "own" }),
    peer("tfjs with a hand-written gradient", "tfjs.js", { ...task, gradient: "hand-written" }),
    peer("jax-js", "jax.js", task),
  ];
  const results = await contest([ours(task), ...peers], rounds(5), log);
  const rows = peers.map(({ name }) =>
    row(`LoRA step of tiny: times the speed of ${name}`, timesFaster(results, "relaxed", name), ">=", BARS[name]),
  );
  const product = { rows: 256, in: 768, out: 3072 };
  const products = await contest(
    [
      { name: "lorikeet", command: [...nodeFor("relaxed"), here("ours-matmul.js")], task: product },
      peer("onnxruntime-web", "ort.js", product),
    ],
    rounds(5),
    log,
  );
  const forward = timesFaster(products, "lorikeet", "onnxruntime-web");
  rows.push(row("y = x·Wᵀ, 256 x 768 -> 3072: times the speed of onnxruntime-web, which trains no more", forward));
  const versions = [results, products].flatMap((each) => Object.values(each).map(({ facts }) => facts?.version));
  const notes = [timesLine(results), timesLine(products), [...new Set(versions.filter(Boolean))].join(", ")];
  return { title: "WebAssembly peers, one thread, f32", rows, notes };
}
