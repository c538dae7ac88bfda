/**
 * The contestant for Lorikeet's matmul on one thread: y = x·Wᵀ.
 *
 *   echo | node bench/ours-matmul.js '{"rows": 256, "in": 768, "out": 3072, "build": "relaxed"}'
 */
import { fillAgreed } from "./agreed.js";
import { openBuild, runnable } from "./harness.js";
import { takeTurns, task } from "./turns.js";

const B_NK = 1;
const { rows, in: width, out, slice, build = runnable("relaxed") ? "relaxed" : "baseline" } = task();
const { kernels, memory, place } = await openBuild(build, 64);
const [x, w, y] = [rows * width, out * width, rows * out].map(place);
const workspace = place(kernels.matmul_workspace() / 4);
const values = (pointer, length) => new Float32Array(memory.buffer, pointer, length);
fillAgreed(values(x, rows * width), "x", [rows, width]);
fillAgreed(values(w, out * width), "w", [out, width]);

function step() {
  const none = [0, 0, 0, 0, 0, 0, 0];
  kernels.matmul_f32(y, x, w, rows, out, width, width, width, out, B_NK, ...none, workspace, 0, rows, 0, out);
  return values(y, rows * out).at(-1);
}

const facts = () => ({ name: "lorikeet", version: `node ${process.version}`, build, threads: 1 });
await takeTurns(step, { slice, facts });
