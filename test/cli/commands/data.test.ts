import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addTokenizer, expectRefused, goldenModel, lorikeet, succeed, workFolder, writeRows } from "../bed.ts";

const work = workFolder();
const at = (name: string) => join(work, name);
goldenModel(at("llama"), "llama");
addTokenizer(at("llama"));
writeRows(at("rows.jsonl"), [
  { prompt: "ab", completion: "cd", note: "ignored" },
  { prompt: "abcdefghij", completion: "k" },
]);

test("preview shows what is learned, what was cut and what was left out", async () => {
  const plain = await succeed(work, "data", "preview", "--model", "llama", "--data", "rows.jsonl");
  expect(plain).toContain("rows.jsonl:1 · 6 tokens · 3 learned\n<s>ab⟦cd</s>⟧\n");
  expect(plain).toMatch(/^train\s+2\s+19\s+6\s+13\s+13\s+0\s+26\.3 %$/m);
  const cut = await lorikeet(
    work,
    ..."data preview --model llama --data rows.jsonl --max-length 5 --rows 1".split(" "),
  );
  expect(cut.stderr).toBe("1 row is left out, because max length cuts off all that is learned: rows.jsonl:2\n");
  expect(cut.stdout).toContain("rows.jsonl:1 · 5 tokens · cut from 6 · 2 learned\n<s>ab⟦cd⟧\n");
  const strict = "data preview --model llama --data rows.jsonl --max-length 5 --labels-cut error".split(" ");
  expectRefused(await lorikeet(work, ...strict), /rows\.jsonl:2: has nothing to learn: max length cuts off/);
});

test("preview writes a page", async () => {
  const told = await lorikeet(work, ..."data preview --model llama --data rows.jsonl --html page.html".split(" "));
  expect(told.stdout).toBe("wrote 2 examples to page.html\n");
  expect(readFileSync(at("page.html"), "utf8")).toMatch(/<b title="\d+">c<\/b>/);
});

test("columns choose between readings, and several files are read together", async () => {
  writeFileSync(at("two.csv"), "text,prompt,completion,class\nab,cd,ef,x\n");
  const args = ["data", "preview", "--model", "llama", "--data", "two.csv"];
  expectRefused(
    await lorikeet(work, ...args),
    /two\.csv:2: can be read as a text .* or as a prompt with its completion/,
  );
  expect(await succeed(work, ...args, "rows.jsonl", "--columns", "completion=completion")).toContain("<s>cd⟦ef</s>⟧");
  expect(await succeed(work, ...args, "--columns", "text=text,label=class")).toContain("<s>ab\nlabel: ⟦x⟧");
});

/** A classifier with three named classes, rows with labels 0 and 1. */
function threeClasses(): void {
  if (existsSync(at("three"))) return;
  goldenModel(at("three"), "llama");
  addTokenizer(at("three"));
  const config = JSON.parse(readFileSync(at("three/config.json"), "utf8"));
  config.id2label = { 0: "bad", 1: "fine", 2: "good" };
  writeFileSync(at("three/config.json"), JSON.stringify(config));
  const rows = Array.from({ length: 20 }, (_, i) => ({ text: "abcdefghij".slice(i % 10), label: i < 10 ? 0 : 1 }));
  writeRows(at("numbers.jsonl"), rows);
}

test("numbers keep the model's names and its head, unless other classes are asked for", async () => {
  threeClasses();
  const args = "data preview --model three --data numbers.jsonl --rows 1".split(" ");
  const kept = await lorikeet(work, ...args);
  expect(kept.stderr).toBe(
    'labels are the model\'s: 0 is "bad", 1 is "fine"; the data has 2 of its 3 classes (--labels makes another head)\n',
  );
  expect(kept.stdout).toContain("label: ⟦bad⟧");
  expect(kept.stdout).toMatch(/^bad\s+10\nfine\s+10\ngood\s+0$/m);
  const asked = await lorikeet(work, ...args, "--labels", "no,yes");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  expect(asked.stdout).toMatch(/^no\s+10\nyes\s+10$/m);
  expectRefused(await lorikeet(work, ...args, "--labels", "no"), /label 1 should be a whole number from 0 to 0/);
});

test("a resumed run holds out what the run did, or refuses to hold out anything else", async () => {
  threeClasses();
  const args = "train --model three --data numbers.jsonl --output run --batch-size 4 --save-steps 1".split(" ");
  const first = await lorikeet(work, ...args, "--steps", "1", "--valid-split", "0.2");
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout).toMatch(/^bad\s+8\s+2$/m);
  const resumed = await lorikeet(work, ...args, "--resume");
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.stdout).toMatch(/^bad\s+8\s+2$/m);
  const other = await lorikeet(work, ...args, "--resume", "--valid-split", "0.3");
  expect(other).toMatchObject({ code: 1 });
  expect(other.stderr).toMatch(/the run has changed(.*\n)*.*--valid-split: was 0\.2, is 0\.3/);
});

test("train shows examples and a table of its data before it begins", async () => {
  const args = "train --model llama --data rows.jsonl --output shown --steps 1 --preview 1".split(" ");
  const text = await succeed(work, ...args);
  expect(text).toContain("rows.jsonl:1 · 6 tokens · 3 learned\n<s>ab⟦cd</s>⟧\n");
  expect(text).toMatch(
    /^data\s+examples\s+tokens\s+min\s+median\s+max\s+cut\s+learned\ntrain\s+2\s+19\s+6\s+13\s+13\s+0\s+26\.3 %$/m,
  );
});

test("a part is held out class by class, the same for the same seed", async () => {
  threeClasses();
  const args = "data preview --model three --data numbers.jsonl --valid-split 0.2 --rows 16".split(" ");
  const [one, again, other] = await Promise.all([
    lorikeet(work, ...args),
    lorikeet(work, ...args),
    lorikeet(work, ...args, "--seed", "9"),
  ]);
  expect(one.stdout).toMatch(/^bad\s+8\s+2\nfine\s+8\s+2$/m);
  expect(again.stdout).toBe(one.stdout);
  expect(other.stdout).not.toBe(one.stdout);
  const both = "data preview --model three --data numbers.jsonl --valid numbers.jsonl --valid-split 0.2".split(" ");
  expect((await lorikeet(work, ...both)).stderr).toMatch(
    /'--valid <file...>' cannot be used with option '--valid-split/,
  );
});

test("a class that only --valid has is refused with its row, and odd classes are pointed out", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    text: "abcdefghij".slice(i % 10),
    label: i % 2 ? "praise" : "blame",
  }));
  writeRows(at("train.jsonl"), [...rows, { text: "ab", label: "prasie" }]);
  writeRows(at("valid.jsonl"), [rows[0], { text: "ab", label: "prais" }]);
  const args = "data preview --model llama --data train.jsonl".split(" ");
  expect((await lorikeet(work, ...args)).stderr).toBe(
    'class "prasie" (1 example) is spelled almost like "praise" (20): a typo?\n',
  );
  expectRefused(
    await lorikeet(work, ...args, "--valid", "valid.jsonl"),
    /valid\.jsonl:2: label "prais" is not known\. Did you mean "praise"/,
  );
  threeClasses();
  writeRows(at("good.jsonl"), [{ text: "ab", label: "good" }]);
  const numbers = "data preview --model three --data numbers.jsonl --valid good.jsonl".split(" ");
  expect((await lorikeet(work, ...numbers)).stderr).toMatch(
    /error: --valid has classes that the training data lacks(.*\n)*.*"good" in good\.jsonl:1/,
  );
  expect((await lorikeet(work, ...numbers, "--labels", "bad,fine,good")).code).toBe(0);
});
