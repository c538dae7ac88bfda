/** Rows as they will be trained: colored in a terminal, with marks in other text, or as a page. */
import type { ExamplePreview } from "../data/preview-example.ts";
import type { PreviewToken } from "../data/preview-tokens.ts";

/** How learned and other tokens are told apart. */
interface Paint {
  learned(text: string): string;
  other(text: string): string;
}

const COLORS: Paint = {
  learned: (text) => colored("\x1b[1;32m", text),
  other: (text) => colored("\x1b[2m", text),
};
const MARKS: Paint = { learned: (text) => `⟦${text}⟧`, other: (text) => text };

/** Colors end with each line, so that a pager keeps them apart. */
function colored(code: string, text: string): string {
  return text.replace(/[^\n]+/g, (line) => `${code}${line}\x1b[0m`);
}

/** Examples as text. Without colors what is learned is between ⟦ and ⟧. */
export function previewText(previews: readonly ExamplePreview[], isColored: boolean): string {
  const paint = isColored ? COLORS : MARKS;
  const legend = `${paint.learned("learned")} ${paint.other("not learned")}`;
  const parts = previews.map((preview) => {
    const { tokens, target, label } = preview;
    const lines = [headOf(preview), painted(tokens, paint)];
    if (target !== null) lines.push(`target: ${painted(target, paint)}`);
    if (label !== null) lines.push(`label: ${paint.learned(label)}`);
    return lines.filter((line) => line !== "").join("\n");
  });
  return [legend, ...parts].join("\n\n");
}

/** What stands above an example. */
export function headOf({ where, tokens, target, learned, uncut }: ExamplePreview): string {
  const all = tokens.length + (target?.length ?? 0);
  const count = `${all} ${all === 1 ? "token" : "tokens"}`;
  const cut = uncut === null ? [] : [`cut from ${uncut}`];
  return [where, count, ...cut, `${learned} learned`].filter((part) => part !== "").join(" · ");
}

/** Tokens in runs of the same kind. */
export function runsOf(tokens: readonly PreviewToken[]): { text: string; learned: boolean }[] {
  const runs: { text: string; learned: boolean }[] = [];
  for (const { text, learned } of tokens) {
    const last = runs.at(-1);
    if (last?.learned === learned) last.text += text;
    else runs.push({ text, learned });
  }
  return runs;
}

function painted(tokens: readonly PreviewToken[], paint: Paint): string {
  return runsOf(tokens)
    .map(({ text, learned }) => (learned ? paint.learned(visible(text)) : paint.other(visible(text))))
    .join("");
}

/** Text whose control characters do nothing to a terminal. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, (unit) =>
    unit === "\t" ? unit : `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
