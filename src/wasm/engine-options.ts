/** Options of `createEngine` that the command line also has. */
import { type Options, oneOf, orNull, wholeOrNull } from "../core/options.ts";
import { buildChoices, MOST_MEMORIES, MOST_THREADS } from "./engine.ts";

const DEVICES = [
  "device",
  "device-map",
  "gpu",
  "gpus",
  "num-gpus",
  "cuda",
  "use-gpu",
  "use-cpu",
  "no-cuda",
  "cpu",
  "deepspeed",
  "fsdp",
];
const CPU = "Everything runs on the CPU: leave it out; --threads sets the number of threads";

export const engineOptions = {
  threads: wholeOrNull(
    { least: 1, most: MOST_THREADS },
    {
      help: "number of threads (default: one per physical core); results do not depend on it",
      alsoSpelled: ["num-threads", "n-threads"],
      insteadOf: { ...Object.fromEntries(DEVICES.map((name) => [name, CPU])), "num-workers": CPU },
      common: true,
    },
  ),
  memories: wholeOrNull(
    { least: 1, most: MOST_MEMORIES },
    { help: "number of memories of 4 GiB each, over which the model is spread (default: as many as it needs)" },
  ),
  build: orNull(
    oneOf(buildChoices, "auto", {
      help: "kernel build (default: LORIKEET_BUILD or, on the command line, fastest): baseline gives the same bits on every machine, relaxed uses fused multiply-add, wide also merges vectors (Node 23.5+ on x86) or takes dot products of bytes (Node on Arm); fastest and auto choose, auto never sets V8's flag for wide",
    }),
  ),
} satisfies Options;
