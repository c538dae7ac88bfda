/** Folders of tokenizers in every form that is read: tokenizer.json with its settings, vocabularies, sentencepiece models. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AutoTokenizer } from "../../../dist/index.js";
import { goldenFiles } from "../seeds.mjs";

const folder = fileURLToPath(new URL("../../golden/tokenizer-folders", import.meta.url));
const known = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());

const found = known.map(({ name }) => {
  const files = Object.entries(goldenFiles(`tokenizer-folders/${name}`));
  return Object.fromEntries(files.filter(([file]) => file !== "expected.json"));
});

export const seeds = () => found.filter((files) => Object.keys(files).length > 0);

const CHAT = [{ role: "user", content: "Hello, the cat's 123" }];

export async function run(files) {
  const tokenizer = await AutoTokenizer.fromPretrained(files);
  tokenizer.decode(tokenizer.encode("Hello, the cat's 123 <s>\u00e9\u4e16  x"), { skipSpecialTokens: true });
  if (files["chat_template.jinja"] !== undefined) tokenizer.applyChatTemplate(CHAT);
}
