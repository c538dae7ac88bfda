import { expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { generate, stream } from "../../src/generate/load-generate.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { tinyConfigs } from "../models/tiny.ts";
import { pocket } from "../text/pretrained.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const options = { maxNewTokens: 12, temperature: 0, eosTokenId: null };
const open = () => AutoModelForCausalLM.fromConfig({ ...llama, vocab_size: 1024 }, { seed: 5 });

test("pieces joined are what decode says of the ids, and come one by one", async () => {
  using model = await open();
  const ids = await generate(model, pocket.encode("Call me"), options);
  const pieces: string[] = [];
  let told = 0;
  let most = 0;
  for await (const piece of stream(model, pocket, "Call me", { ...options, onToken: () => void told++ })) {
    pieces.push(piece);
    most = Math.max(most, told);
    told = 0;
  }
  const whole = [...pocket.encode("Call me"), ...ids];
  const skipped = { skipSpecialTokens: true };
  expect(pocket.decode(pocket.encode("Call me"), skipped) + pieces.join("")).toBe(pocket.decode(whole, skipped));
  expect(pieces.length).toBeGreaterThan(2);
  expect(most).toBeLessThan(8);
});

test("leaving the loop frees what writing took", async () => {
  using model = await open();
  for await (const _ of stream(model, pocket, pocket.encode("Call"), options)) break;
  const before = model.engine.memory.usedBytes;
  for await (const _ of stream(model, pocket, pocket.encode("Call"), options)) break;
  expect(model.engine.memory.usedBytes).toBe(before);
});

test("ends at the tokenizer's stop tokens, or where the text has a stop string", async () => {
  using model = await open();
  const all: string[] = [];
  for await (const piece of stream(model, pocket, "Call me", options)) all.push(piece);
  const text = all.join("");
  const stop = text.slice(2, 5);
  let made = "";
  for await (const piece of stream(model, pocket, "Call me", { ...options, stopStrings: stop })) made += piece;
  expect(text.startsWith(made)).toBe(true);
  expect(made).toContain(stop);
  expect(made.length).toBeLessThan(text.length);
});

test("other work has its turn after each piece, and a signal ends the text at the next token", async () => {
  using model = await open();
  const immediate = () => new Promise((resolve) => setImmediate(resolve));
  const stop = new AbortController();
  let immediates = 0;
  const count = async () => {
    while (!stop.signal.aborted) {
      await immediate();
      immediates++;
    }
  };
  const counting = count();
  let told = 0;
  const onToken = () => void (++told === 6 && setImmediate(() => stop.abort()));
  const pieces: string[] = [];
  const more = { ...options, maxNewTokens: 20, onToken, signal: stop.signal };
  for await (const piece of stream(model, pocket, "Call me", more)) pieces.push(piece);
  await counting;
  expect(told).toBe(6);
  expect(immediates).toBeGreaterThanOrEqual(5);
  expect(pieces.length).toBeGreaterThan(2);
});

test("several prompts are refused", async () => {
  using model = await open();
  await expect(stream(model, pocket, [[1], [2]] as never, options).next()).rejects.toThrow("stream: several prompts");
});

test("what is not a tokenizer is refused", async () => {
  using model = await open();
  await expect(stream(model, {} as never, "x").next()).rejects.toThrow("the second argument is not a tokenizer");
});
