/** A folder as people have it when they make mistakes. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GOLDEN } from "../golden-files.ts";
import { addTokenizer, goldenModel, writeRows } from "./bed.ts";

/** Writes models, adapters, runs and data files into a folder. */
export function makeMistakesPossible(work: string): void {
  const at = (name: string) => join(work, name);
  goldenModel(at("base"), "llama");
  addTokenizer(at("base"));
  cpSync(`${GOLDEN}/methods/lora/llama-default`, at("runs/done/adapter"), { recursive: true });
  writeFileSync(at("runs/done/trainer_state.json"), "{}");
  cpSync(`${GOLDEN}/methods/lora/gpt2-default`, at("other-adapter"), { recursive: true });
  mkdirSync(at("empty-folder"));
  writeRows(at("rows.jsonl"), [{ text: "hello" }, { text: "there" }]);
  writeRows(at("labeled.jsonl"), [
    { text: "good", label: "yes" },
    { text: "bad", label: "no" },
  ]);
  writeRows(at("half-labeled.jsonl"), [{ text: "good", label: "yes" }, { text: "bad" }]);
  writeRows(at("wrong-keys.jsonl"), [{ content: "hello" }, { content: "there" }]);
  writeRows(at("no-answer.jsonl"), [{ prompt: "hello" }]);
  writeRows(at("long.jsonl"), [{ text: "x".repeat(100) }]);
  writeRows(at("pictures.jsonl"), [{ image: "missing.png", label: "cat" }]);
  writeRows(at("chat.jsonl"), [{ messages: [{ role: "user", content: "hi" }] }]);
  writeFileSync(at("list.jsonl"), '[\n{"text": "hello"},\n{"text": "there"}\n]\n');
  writeFileSync(at("python.jsonl"), "{'text': 'hello'}\n");
  writeFileSync(at("comma.jsonl"), '{"text": "hello"},\n{"text": "there"},\n');
  writeFileSync(at("cut.json"), '[{"text": "hello"}, {"te');
  writeFileSync(at("table.csv"), "body,stars\nhello,5\nthere,1\n");
  writeFileSync(at("latin.csv"), Buffer.from("text,label\ncaf\xe9,a\nth\xe9,b\n", "latin1"));
  writeFileSync(at("empty.jsonl"), "");
  writeFileSync(at("blank.jsonl"), "\n\n");
  writeFileSync(at("text.docx"), "PK");
  writeFileSync(at("book.xlsx"), "PK");
  writeFileSync(at("fake.parquet"), "text\nhello\n");
  writeFileSync(at("fake.jsonl.gz"), '{"text": "hello"}\n');
  writeFileSync(at("notes.txt"), "hello\n");
  writeFileSync(at("messages.json"), '{"role": "user", "content": "hi"}');
  writeFileSync(at("run.yaml"), "learning-rat: 1e-3\nfp16: true\n");
  writeFileSync(at("run.json"), '{"lr": ');
}
