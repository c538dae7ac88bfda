/**
 * Which chat templates a model has, and which of them a conversation gets: as transformers reads and chooses them.
 *
 *   chat_template.jinja, additional_chat_templates/*.jinja   go before what tokenizer_config.json holds
 *   chat_template.json                                       what processors write: before tokenizer_config.json too
 *   "chat_template" in tokenizer_config.json                 one text, or a list of names and texts
 */
import { readText } from "../checkpoint/checkpoint.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { isObject, type Json, parseJson } from "../core/python-json.ts";

/** One template, or several by name, of which "default" is for plain conversations and "tool_use" for tools. */
export type ChatTemplates = string | ReadonlyMap<string, string>;

const FOLDER = "additional_chat_templates/";
/** What is looked for where a folder cannot be listed. */
const USUAL_NAMES = ["tool_use", "rag"];

/** The templates in separate files, or null. */
export async function readChatTemplates(source: Source): Promise<ChatTemplates | null> {
  const found = new Map<string, string>();
  if (await source.has("chat_template.jinja")) found.set("default", await readText(source, "chat_template.jinja"));
  for (const name of await additionalNames(source)) found.set(name, await readText(source, `${FOLDER}${name}.jinja`));
  const only = found.get("default");
  if (found.size > 0) return found.size === 1 && only !== undefined ? only : found;
  if (!(await source.has("chat_template.json"))) return null;
  const json = parseJson(await readText(source, "chat_template.json"), `"chat_template.json" in ${source.name}`);
  return isObject(json) ? configuredTemplates(json.chat_template) : null;
}

async function additionalNames(source: Source): Promise<string[]> {
  const listed = ((await source.list(true)) ?? [])
    .filter((file) => file.startsWith(FOLDER) && file.endsWith(".jinja"))
    .map((file) => file.slice(FOLDER.length, -".jinja".length));
  const there = await Promise.all(USUAL_NAMES.map((name) => source.has(`${FOLDER}${name}.jinja`)));
  return [...new Set([...listed, ...USUAL_NAMES.filter((_, i) => there[i])])].sort();
}

/** The templates that a "chat_template" of JSON holds, or null. */
export function configuredTemplates(value: Json | undefined): ChatTemplates | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return null;
  const found = new Map<string, string>();
  for (const entry of value) {
    if (!isObject(entry) || typeof entry.name !== "string" || typeof entry.template !== "string") {
      throw new FormatError('"chat_template" should be a text, or a list of objects with "name" and "template"');
    }
    found.set(entry.name, entry.template);
  }
  return found;
}

/**
 * The template for a conversation: the one asked for, by name or as a text; else "tool_use" where tools are given and it is
 * there; else "default". Throws UnsupportedError that lists the names when there is no such template.
 */
export function chooseTemplate(
  label: string,
  templates: ChatTemplates | null,
  asked: string | null,
  hasTools: boolean,
): string {
  const named = templates instanceof Map ? (templates as ReadonlyMap<string, string>) : null;
  const names = named === null ? "" : ` It has templates named ${[...named.keys()].sort().join(", ")}.`;
  if (asked !== null) {
    const found = named?.get(asked);
    if (found !== undefined) return found;
    if (/\{[{%]/.test(asked)) return asked;
    throw new UnsupportedError(
      `${label}: there is no chat template "${asked}", and it is not a template's text.${names}`,
    );
  }
  if (typeof templates === "string") return templates;
  if (named === null) {
    throw new UnsupportedError(
      `${label} has no chat template: neither chat_template.jinja nor one in tokenizer_config.json is there. ` +
        'Use {"prompt", "completion"} rows, or put the template of its instruction-tuned version beside it.',
    );
  }
  const found = (hasTools ? named.get("tool_use") : undefined) ?? named.get("default");
  if (found !== undefined) return found;
  throw new UnsupportedError(`${label} has no default chat template: choose one with \`chatTemplate\`.${names}`);
}
