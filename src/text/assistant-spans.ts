/**
 * What the assistant wrote, for templates without generation blocks.
 *
 * The rendering itself says which message each stretch of the text came from. Of an assistant's stretch, what the generation
 * prompt would have opened it with is not the assistant's, nor is the white space behind its closing mark:
 *
 *   <|im_start|>assistant\n Well met. <|im_end|> \n
 *   ---------------------- ^^^^^^^^^^^^^^^^^^^^^ --
 *
 * A prompt may also open a thought (`<think>`), which is the assistant's where a turn has one. How a plain turn amid a
 * conversation begins and ends is seen from an example.
 */

import type { Rendered, Turn } from "../jinja/template.ts";
import { stripEnd } from "../jinja/values/code-points.ts";
import type { Message, Span } from "./message.ts";

/** Renders other messages with the same options; null where the template refuses them. */
export type RenderOther = (messages: readonly Message[], addGenerationPrompt: boolean) => Rendered | null;

const EXAMPLE = "Lorikeet";

/** The spans of all turns of "assistant", or why they cannot be determined. */
export function assistantSpans(whole: Rendered, messages: readonly Message[], render: RenderOther): Span[] | string {
  const plain = plainTurn(render);
  // Some templates give no prompt after an assistant's turn, where another may follow all the same.
  const usual = generationPrompts([{ role: "user", content: "Hello" }], render);
  const prompts = new Map<string, readonly string[]>();
  const promptsBefore = (i: number): readonly string[] => {
    const key = messages[i - 1]?.role ?? "";
    const found = prompts.get(key) ?? generationPrompts(messages.slice(0, i), render);
    prompts.set(key, found);
    return [...found, ...usual];
  };
  const spans: Span[] = [];
  for (const [i, message] of messages.entries()) {
    if (message.role !== "assistant") continue;
    const turns = turnsOf(whole, i);
    if (turns.length === 0 && isShown(whole, message)) {
      return `message ${i + 1} is not written by a loop over the messages`;
    }
    turns.forEach((turn, t) => {
      const text = whole.text.slice(turn.start, turn.end);
      const start = t === 0 ? headerLength(text, promptsBefore(i), plain) : 0;
      const end = t === turns.length - 1 ? closedLength(text, plain) : text.length;
      if (start < end) spans.push({ start: turn.start + start, end: turn.start + end });
    });
  }
  return spans;
}

/** The stretches about one message, blank ones left out. */
function turnsOf({ text, turns }: Rendered, message: number): readonly Turn[] {
  return turns.filter((turn) => turn.message === message && stripEnd(text.slice(turn.start, turn.end)) !== "");
}

/** Whether the words of a message are in the text. */
function isShown({ text }: Rendered, { content }: Message): boolean {
  return typeof content === "string" && content.trim() !== "" && text.includes(content.trim());
}

/** What stands before and after the words of an assistant's plain turn amid a conversation. */
interface PlainTurn {
  readonly before: string;
  readonly after: string;
}

function plainTurn(render: RenderOther): PlainTurn | null {
  const messages = [
    { role: "user", content: "Hello" },
    { role: "assistant", content: EXAMPLE },
    { role: "user", content: "Goodbye" },
  ];
  const rendered = render(messages, false);
  const turn = rendered === null ? undefined : turnsOf(rendered, 1)[0];
  if (rendered === null || turn === undefined) return null;
  const text = rendered.text.slice(turn.start, turn.end);
  const at = text.indexOf(EXAMPLE);
  return at < 0 ? null : { before: text.slice(0, at), after: text.slice(at + EXAMPLE.length) };
}

/**
 * The text that the model continues from after these messages: what it writes only then, or all that it writes
 * after the last message (such as the end of a list of tools' results).
 */
function generationPrompts(messages: readonly Message[], render: RenderOther): readonly string[] {
  const open = render(messages, true);
  const closed = render(messages, false);
  if (open === null) return [];
  const added = closed !== null && open.text.startsWith(closed.text) ? open.text.slice(closed.text.length) : "";
  const last = open.turns.filter((turn) => stripEnd(open.text.slice(turn.start, turn.end)) !== "").at(-1);
  return [added, last === undefined ? "" : open.text.slice(last.end)].filter((prompt) => prompt !== "");
}

/** How much at the start of a turn the prompt would have given. */
function headerLength(text: string, prompts: readonly string[], plain: PlainTurn | null): number {
  const before = plain?.before ?? "";
  const opened = prompts.map((prompt) => (before !== "" && prompt.startsWith(before) ? before : prompt));
  if (opened.length === 0) opened.push(stripEnd(before));
  const lengths = opened.map((header) => {
    if (text.startsWith(header)) return header.length;
    if (text.startsWith(stripEnd(header))) return stripEnd(header).length;
    return plain === null ? sharedLength(text, header) : 0;
  });
  return Math.max(...lengths);
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

/** A turn's length without the white space behind its closing mark. White space alone may be what closes a turn. */
function closedLength(text: string, plain: PlainTurn | null): number {
  if (plain === null) return text.length;
  const mark = stripEnd(plain.after);
  const bare = stripEnd(text);
  return mark !== "" && bare.endsWith(mark) ? bare.length : text.length;
}
