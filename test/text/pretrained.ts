/** Tokenizers and model folders that tests read. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { mapSource, type Source } from "../../src/checkpoint/source.ts";
import { AutoTokenizer, type PretrainedTokenizer } from "../../src/text/auto-tokenizer.ts";
import { Tokenizer, type TokenizerFiles } from "../../src/text/tokenizer.ts";

const ROOT = new URL("../../", import.meta.url);

/** The small files of a folder, by its path from the project's root; null, said loudly, when it is not there. */
export function folder(path: string): Source | null {
  const url = new URL(`${path}/`, ROOT);
  if (!existsSync(url)) {
    console.warn(`SKIPPED: tests of ${path}, which is not there`);
    return null;
  }
  const names = readdirSync(url).filter((name) => /\.(json|jinja)$/.test(name));
  return mapSource(
    Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, url))])),
    fileURLToPath(url),
  );
}

export const pocketFolder = folder("examples/pocket")!;
export const storiesFolder = folder("../shared/models/stories260K");
export const pocket = await AutoTokenizer.fromPretrained(pocketFolder);

/** The pocket tokenizer with something changed. */
export function pocketWith({ config = {}, ...changes }: Partial<TokenizerFiles>): PretrainedTokenizer {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`examples/pocket/${name}`, ROOT), "utf8"));
  const files = { tokenizer: read("tokenizer.json"), ...changes };
  return new Tokenizer("pocket", {
    ...files,
    config: { ...read("tokenizer_config.json"), ...config },
  }) as PretrainedTokenizer;
}
