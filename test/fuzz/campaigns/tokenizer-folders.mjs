/** Folders of tokenizers in every form that is read: tokenizer.json with its settings, vocabularies, sentencepiece models. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AutoTokenizer } from "../../../dist/index.js";
import { golden } from "../seeds.mjs";

const folder = fileURLToPath(new URL("../../golden/tokenizer-folders", import.meta.url));
const known = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());

const found = known.map(({ name }) => {
  const files = readdirSync(`${folder}/${name}`).filter((file) => !/^(expected|case)/.test(file));
  return Object.fromEntries(files.map((file) => [file, golden(`tokenizer-folders/${name}/${file}`)]));
});

export const seeds = () => found.filter((files) => Object.keys(files).length > 0);

const CHAT = [{ role: "user", content: "Hello, the cat's 123" }];

export async function run(files) {
  const tokenizer = await AutoTokenizer.fromPretrained(files);
  tokenizer.decode(tokenizer.encode("Hello, the cat's 123 <s>\u00e9\u4e16  x"), { skipSpecialTokens: true });
  tokenizer.applyChatTemplate?.(CHAT);
}
