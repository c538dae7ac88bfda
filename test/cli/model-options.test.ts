/** --weights: a base that is made smaller when it is loaded, in every command that computes with one. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../src/runtime/node.ts";
import { expectRefused, lorikeet, root, succeed, workFolder, writeRows } from "./bed.ts";

const work = workFolder();
const base = ["--model", join(root, "examples/pocket")];
const data = ["--data", "rows.jsonl", "--max-length", "40"];
const lines = [
  "Shall I compare thee to a summer's day?",
  "When forty winters shall besiege thy brow,",
  "From fairest creatures we desire increase,",
];

beforeAll(() =>
  writeRows(
    join(work, "rows.jsonl"),
    lines.map((text) => ({ text })),
  ),
);

const lossOf = async (...args: string[]) =>
  (JSON.parse(await succeed(work, "eval", ...base, ...data, "--json", ...args)) as { loss: number }).loss;

async function logitsOf(output: string, ...args: string[]): Promise<Float32Array> {
  await succeed(work, "predict", ...base, ...data, "--output", output, ...args);
  const { tensors } = await openSafetensors(openFolder(work), output);
  return new Float32Array((await tensors.get("0")!.read()).slice().buffer);
}

describe.each(["int8", "nf4"])("--weights %s", (weights) => {
  const kept = ["--weights", weights];
  const adapter = ["--adapter", `run-${weights}/adapter`];
  const steps = ["--steps", "3", "--batch-size", "3", "--learning-rate", "5e-3"];

  test("trains, evaluates, predicts and writes; the adapter merges into the base as it is stored", async () => {
    await succeed(work, "train", ...base, ...data, ...kept, ...steps, "--output", `run-${weights}`);
    const [stored, small, trained] = await Promise.all([lossOf(), lossOf(...kept), lossOf(...kept, ...adapter)]);
    expect(small).not.toBe(stored);
    expect(Math.abs(small / stored - 1)).toBeLessThan(weights === "int8" ? 0.01 : 0.05);
    expect(trained).toBeLessThan(small);

    const [whole, few] = await Promise.all([
      logitsOf(`${weights}-stored.safetensors`),
      logitsOf(`${weights}.safetensors`, ...kept),
    ]);
    const apart = Math.hypot(...few.map((x, i) => x - whole[i]!)) / Math.hypot(...whole);
    expect(apart).toBeGreaterThan(0);
    expect(apart).toBeLessThan(weights === "int8" ? 0.02 : 0.2);

    const prompt = ["--prompt", lines[0]!, "--max-new-tokens", "5", "--json"];
    const written = JSON.parse(await succeed(work, "generate", ...base, ...kept, ...adapter, ...prompt));
    expect(written.text.length).toBeGreaterThan(0);

    const merged = `merged-${weights}`;
    await succeed(work, "merge", ...base, ...adapter, "--output", merged);
    const [joined, apartFrom] = await Promise.all([lossOf("--model", merged), lossOf(...adapter)]);
    expect(Math.abs(joined - apartFrom)).toBeLessThan(0.01 * (stored - apartFrom)); // merged weights are rounded to bfloat16
  });

  test("does not go with training the base itself, nor with merge, which writes the base", async () => {
    const [full, merge] = await Promise.all([
      lorikeet(work, "train", ...base, ...data, ...kept, "--method", "full", "--output", "full"),
      lorikeet(work, "merge", ...base, ...kept, "--adapter", "any", "--output", "never"),
    ]);
    expectRefused(
      full!,
      new RegExp(`weights: "${weights}" was requested together with trainable: true, but trained weights are float32`),
    );
    expectRefused(merge!, /unknown option '--weights'/);
  });
});

test("other dtypes are refused with the list of those that there are", async () => {
  const refused = await lorikeet(work, "eval", ...base, ...data, "--weights", "int4");
  expectRefused(refused, /'int4' is invalid\. Expected one of stored, f32, f16, bf16, int8, nf4/);
});
