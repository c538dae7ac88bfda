import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { memoryFlags } from "./scripts.ts";

const HEAD = [0, 97, 115, 109, 1, 0, 0, 0];
const text = (word: string) => [word.length, ...Buffer.from(word)];
const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
const imports = (...all: number[][]) => section(2, all.length, ...all.flat());
const named = (name: string, ...bytes: number[]) => [...text("env"), ...text(name), ...bytes];

const types = section(1, 1, 96, 0, 0);
const others = [named("f", 0, 0), named("t", 1, 112, 1, 1, 9), named("g", 3, 127, 0)];
const memory = named("memory", 2, 1, 1, 255, 255, 3);

test("the flags of the imported memory are found behind other sections and imports", () => {
  const wasm = Uint8Array.from([...HEAD, ...types, ...imports(...others, memory)]);
  const at = memoryFlags(wasm);
  expect([...wasm.slice(at - 1, at + 5)]).toEqual([2, 1, 1, 255, 255, 3]);
  wasm[at] = 3;
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 65535, shared: true });
  expect(buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(WebAssembly.validate(wasm)).toBe(true);
});

test("in the kernels that is the byte that makes their memory a shared one", () => {
  const wasm = readFileSync(new URL("../../build/baseline.wasm", import.meta.url));
  const instantiate = (shared: boolean) => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65535, shared });
    return new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory } });
  };
  instantiate(false);
  wasm[memoryFlags(wasm)] = 3;
  instantiate(true);
  expect(() => instantiate(false)).toThrow(WebAssembly.LinkError);
});

test.each([
  ["no memory", imports(...others)],
  ["no imports", types],
  ["a memory without a maximum", imports(named("memory", 2, 0, 1))],
  ["a shared memory", imports(named("memory", 2, 3, 1, 9))],
  ["two memories", imports(memory, memory)],
])("a module with %s is refused", (_, bytes) => {
  expect(() => memoryFlags(Uint8Array.from([...HEAD, ...bytes]))).toThrow(
    "must import one memory, not shared and with",
  );
});
