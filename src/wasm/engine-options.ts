/** Options of `createEngine` that the command line also has. */
import { type Options, oneOf, wholeOrNull } from "../core/options.ts";
import { MOST_THREADS } from "./engine.ts";

export const engineOptions = {
  threads: wholeOrNull(
    { least: 1, most: MOST_THREADS },
    { help: "number of threads (default: one per physical core); results do not depend on it" },
  ),
  build: oneOf(["auto", "baseline", "relaxed"], "auto", {
    help: "kernel build: relaxed uses fused multiply-add, baseline gives the same bits on every machine",
  }),
} satisfies Options;
