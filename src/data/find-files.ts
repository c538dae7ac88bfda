/** Which files of a place a person means: one by its name, those that match a pattern, or the training part of a data set. */
import type { DataPlace } from "../checkpoint/open-data.ts";
import { FormatError } from "../core/errors.ts";
import { ENDINGS } from "./rows.ts";

/** The names of the files, at least one. Throws FormatError where there is none, or where a data set leaves it open. */
export async function findFiles({ source, file, prefix }: DataPlace): Promise<string[]> {
  if (file === "") return trainingFiles(prefix, (await source.list()) ?? []);
  if (!/[*?[{]/.test(file) || (await source.has(file))) return [file];
  const all = await source.list();
  if (all === null)
    throw new FormatError(`"${prefix}${file}" is a pattern, but ${source.name} does not list its files`);
  const matches = patternOf(file);
  const found = all.filter((name) => matches.test(name));
  if (found.length > 0) return found;
  throw new FormatError(`no file of ${source.name} matches "${file}"`);
}

/** A pattern of file names: `*` and `?` inside one name, `[a-z]`, `{a,b}`. */
function patternOf(pattern: string): RegExp {
  let inBraces = false;
  const source = pattern.replace(/\*+|[?{},]|\[[^\]]*\]|[.+^$()|\\\]]/g, (mark) => {
    if (mark.startsWith("*")) return mark.length > 1 ? ".*" : "[^/]*";
    if (mark.startsWith("[")) return mark.replace(/^\[!/, "[^");
    if (mark === "{" || mark === "}") inBraces = mark === "{";
    const marks: Readonly<Record<string, string>> = { "?": "[^/]", "{": "(?:", "}": ")", ",": inBraces ? "|" : "," };
    return marks[mark] ?? `\\${mark}`;
  });
  return new RegExp(`^${source}$`);
}

/** Words for parts of a data set that are not for training. */
const HELD_OUT = /(^|[^a-z])(test|testing|valid|validation|val|dev|eval|evaluation)([^a-z]|$)/i;
const TRAINING = /(^|[^a-z])(train|training)([^a-z]|$)/i;

/**
 * The files of a data set on the hub to train on: those whose names say "train", or all if none names a part. They must be of one
 * kind in one folder, for several are several data sets.
 */
export function trainingFiles(name: string, files: readonly string[]): string[] {
  const ends = (file: string) => ENDINGS.some((ending) => new RegExp(`\\${ending}(\\.gz)?$`, "i").test(file));
  const about = /(^|\/)(dataset_infos?\.json|requirements\.txt|license\.txt|readme\.txt)$/i;
  const readable = files.filter((file) => ends(file) && !about.test(file));
  if (readable.length === 0) throw new FormatError(`${name} has no file with an ending of ${ENDINGS.join(", ")}`);
  const named = readable.filter((file) => TRAINING.test(file));
  const parts = named.length > 0 ? named : readable.filter((file) => !HELD_OUT.test(file));
  const kinds = new Set(parts.map((file) => file.replace(/[^/]*?(\.[a-z]+(\.gz)?)$/i, "$1")));
  if (kinds.size === 1) return parts;
  const shown = readable.slice(0, 12).map((file) => `  ${name}${file}`);
  const more = readable.length > shown.length ? [`  and ${readable.length - shown.length} more`] : [];
  throw new FormatError(
    [`${name} has several sets of files; name one, or a pattern of several:`, ...shown, ...more].join("\n"),
  );
}
