/** Engines for many inputs one after another. */
import { createEngine } from "../../dist/index.js";
import { failure } from "./outcome.mjs";

/** Inputs after which an engine makes way for another. */
const TURNS = 500;

/** Gives `use` an engine of at most `maxBytes`; what it takes there must be given back. */
export function engines(maxBytes) {
  let [engine, turns, before] = [null, 0, 0];
  return async (use, prepare = () => null) => {
    if (engine === null || turns++ % TURNS === 0) {
      engine?.dispose();
      engine = await createEngine({ threads: 1, build: "baseline", maxBytes });
      engine.prepared = await prepare(engine);
      before = engine.memory.usedBytes;
    }
    try {
      return await use(engine, engine.prepared);
    } finally {
      const left = engine.memory.usedBytes - before;
      if (left !== 0) {
        turns = 0;
        // biome-ignore lint/correctness/noUnsafeFinally: memory that is left is the worse fault
        throw failure("Leak", `${left} bytes are left`);
      }
    }
  };
}
