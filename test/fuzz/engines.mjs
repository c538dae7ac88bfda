/** Engines for many inputs one after another. */
import { createEngine } from "../../dist/index.js";
import { failure } from "./outcome.mjs";

/** Inputs after which an engine makes way for another. */
const TURNS = 500;

/** Gives `use` an engine of at most `maxBytes`, with what `prepare` puts there; what `use` takes must be given back. */
export function engines(maxBytes, prepare = () => null) {
  let [engine, prepared, turns] = [null, null, 0];
  return async (use) => {
    if (engine === null || ++turns % TURNS === 0) {
      engine?.dispose();
      engine = await createEngine({ threads: 1, build: "baseline", maxBytes });
      prepared = await prepare(engine);
    }
    const before = engine.memory.usedBytes;
    try {
      await use(engine, prepared);
    } finally {
      if (engine.memory.usedBytes > before) await expectNoMore(() => use(engine, prepared), engine.memory);
    }
  };
}

/** Work space stays for the next use; what the same use takes once more is lost. */
async function expectNoMore(use, memory) {
  const before = memory.usedBytes;
  await use().catch(() => {});
  const lost = memory.usedBytes - before;
  if (lost > 0) throw failure("Leak", `${lost} bytes are not given back`);
}
