import { expect, test } from "vitest";
import { readCase, readTensors } from "../../golden-files.ts";
import { jsonLines, succeed } from "../bed.ts";
import { at, type Batch, work, writeBatch } from "./golden-models.ts";

test("eval gives the reference's loss over label tokens, and its exponential", async () => {
  const { sequences, labels } = readCase<Batch>("models/llama");
  writeBatch(at("eval.jsonl"), { sequences, labels });
  const args = ["--model", "llama", "--data", "eval.jsonl", "--batch-size", "2"];
  const [json, plain] = await Promise.all([succeed(work, "eval", ...args, "--json"), succeed(work, "eval", ...args)]);
  const [found] = jsonLines(json);
  const want = (await readTensors("models/llama")).get("loss")!.values[0]!;
  expect(found!.loss).toBeCloseTo(want, 5);
  expect(found!.perplexity).toBeCloseTo(Math.exp(want), 2);
  expect(found).toMatchObject({
    rows: 3,
    tokens: labels.flatMap((row) => row.slice(1)).filter((id) => id >= 0).length,
  });
  expect(plain).toBe(`loss ${want.toFixed(4)}   perplexity ${Math.exp(want).toFixed(3)}   label tokens 14   rows 3\n`);
});
