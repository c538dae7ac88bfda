import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../../src/auto/auto-classes.ts";
import { lora } from "../../src/methods/lora.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import { type Pipelines, pipeline } from "../../src/pipelines/pipeline.ts";
import { GOLDEN } from "../golden-files.ts";

const folder = (model: string) => `${GOLDEN}/pipelines/${model}`;
const text = "The white whale swam before him.";

/** An adapter for the golden classifier with other labels, in memory. */
async function savedAdapter(): Promise<Map<string, Uint8Array>> {
  using base = await AutoModelForSequenceClassification.fromPretrained(folder("classes"), {
    ...{ config: { id2label: { 0: "ham", 1: "spam" } }, ignoreMismatchedSizes: true, onWarning: () => {} },
  });
  const files = new Map<string, Uint8Array>();
  await getPeftModel(base, lora({ r: 2, taskType: "SEQ_CLS" })).savePretrained(files);
  return files;
}

test("an adapter brings its labels, with its base or the one that is given", async () => {
  const adapter = await savedAdapter();
  using named = await pipeline("text-classification", { adapter });
  using given = await pipeline("text-classification", { model: folder("classes"), adapter });
  const [one, two] = [await named(text, { topK: null }), await given(text, { topK: null })];
  expect(one.map(({ label }) => label).sort()).toEqual(["ham", "spam"]);
  expect(one).toEqual(two);
  expect(named.task).toBe("text-classification");
});

test("vectors are pooled and normalized, and texts of several lengths end in zeros", async () => {
  using extract = await pipeline("feature-extraction", { model: folder("features") });
  const rows = (await extract(text)).tolist() as number[][][];
  const mean = await extract([text, "whale"], { pooling: "mean", normalize: true });
  expect(mean.dims).toEqual([2, 8]);
  const sum = rows[0]!.reduce((total, row) => total.map((x, d) => x + row[d]!), new Array<number>(8).fill(0));
  const first = (mean.tolist() as number[][])[0]!;
  for (const [d, x] of sum.entries()) expect(first[d]).toBeCloseTo(x / Math.hypot(...sum), 5);
  const both = await extract(["whale", text]);
  expect(both.dims).toEqual([2, rows[0]!.length, 8]);
  expect((both.tolist() as number[][][])[0]!.at(-1)).toEqual(new Array(8).fill(0));
  expect((await extract(text, { pooling: "cls" })).tolist()).toEqual([rows[0]![0]]);
});

test("a model that is loaded already is used as it is, and stays", async () => {
  using model = await AutoModelForSequenceClassification.fromPretrained(folder("classes"));
  const classify = await pipeline("text-classification", { model });
  const [found] = await classify(text);
  classify.dispose();
  expect(model.disposed).toBe(false);
  expect(found!.label).toBe("fine");
});

test("rows of virtual tokens are no tokens of the text", async () => {
  using tags = await pipeline("ner", { model: folder("tags") });
  const before = await tags(text, { ignoreLabels: [] });
  getPeftModel(tags.model as never, promptTuning({ numVirtualTokens: 3, taskType: "TOKEN_CLS" }));
  expect((await tags(text, { ignoreLabels: [] })).map(({ word }) => word)).toEqual(before.map(({ word }) => word));
});

test("a question and its context are given apart, or together", async () => {
  using answer = await pipeline("question-answering", { model: folder("answers") });
  const question = { question: "Who was white?", context: "It was the whale 😀 that swam." };
  const one = await answer(question);
  expect(await answer(question.question, question.context)).toEqual(one);
  expect(question.context.slice(one.start, one.end)).toBe(one.answer);
});

test("images are given as bytes, as a Blob or by path", async () => {
  using see = await pipeline("image-classification", { model: folder("sees") });
  const path = `${folder("sees")}/image.png`;
  const bytes = new Uint8Array(readFileSync(path));
  const byPath = await see(path);
  expect(await see([bytes, new Blob([bytes])])).toEqual([byPath, byPath]);
});

const model = "any";
const wrong: [string, () => Promise<unknown>, RegExp][] = [
  [
    "an unknown task",
    () => pipeline("text-clasification" as keyof Pipelines, { model }),
    /Did you mean "text-classification"/,
  ],
  ["no model", () => pipeline("ner", {}), /give "model", a folder or a name on the hub, or "adapter"/],
  ["an unknown option", () => pipeline("ner", { model, dtype: "q8" } as never), /"dtype" is not an option/],
  [
    "a model in memory",
    async () => {
      using made = await AutoModelForCausalLM.fromPretrained(folder("writes"));
      return pipeline("ner", { model: made });
    },
    /the model is for CAUSAL_LM, expected one for TOKEN_CLS/,
  ],
];
test.each(wrong)("%s is refused by name", async (_, call, said) => {
  await expect(call()).rejects.toThrow(said);
});

test("options and inputs of calls are checked", async () => {
  using classify = await pipeline("text-classification", { model: folder("classes") });
  await expect(classify(text, { topk: 2 } as never)).rejects.toThrow(/"topk" is not an option.*"topK"/);
  await expect(classify(5 as never)).rejects.toThrow("a text is the number 5, expected a text");
  using write = await pipeline("text-generation", { model: folder("writes") });
  await expect(write(text, { max_tokens: 3 } as never)).rejects.toThrow(/"maxTokens" is not an option/);
});
