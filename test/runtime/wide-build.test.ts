import { describe, expect, test } from "vitest";
import { compileWide } from "../../src/runtime/node.ts";
import { createEngine } from "../../src/wasm/engine.ts";

// V8 keeps what it has compiled by its bytes, so this file must not compile the wide build in another way.
describe.runIf(compileWide !== null && process.arch === "x64")("where V8 merges vectors", () => {
  test("fastest is wide, its module is compiled once, and V8's flags are as before", async () => {
    using one = await createEngine({ build: "fastest", threads: 1 });
    expect(one.build).toBe("wide");
    expect(await compileWide!(false)).toBe(await compileWide!(false));
    using other = await createEngine({ threads: 1 });
    expect(other.build).toBe("relaxed");
  });
});

describe.runIf(compileWide === null)("where V8 merges none", () => {
  test("wide is refused with what it takes, and fastest goes on without a word", async () => {
    await expect(createEngine({ build: "wide" })).rejects.toThrow(
      'createEngine: build "wide" takes Node 23.5 or newer on an x86 processor, or Node on Arm; "fastest" does without it elsewhere',
    );
    const said: string[] = [];
    using engine = await createEngine({ build: "fastest", onWarning: (text) => said.push(text) });
    using auto = await createEngine();
    expect(engine.build).toBe(auto.build);
    expect(said).toEqual([]);
  });
});
