/**
 * Conversations as text: a model's own Jinja template, and which stretches of its output the assistant wrote.
 *
 * Templates see what transformers' `apply_chat_template` gives them: `messages`, `tools`, `documents`,
 * `add_generation_prompt` and the special tokens by name.
 */
import { Template } from "@huggingface/jinja";
import { FormatError } from "../core/errors.ts";

/** One turn. `content` is text, or what the template at hand understands; further keys are passed on as they are. */
export interface Message {
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

export interface RenderOptions {
  /** End with what opens an assistant's turn, for the model to go on from. */
  readonly addGenerationPrompt?: boolean;
  /** JSON schemas of functions the assistant may call. */
  readonly tools?: readonly unknown[] | null;
}

/** Characters [start, end) of a rendered conversation. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A compiled template. `name` is what messages call it. */
export class ChatTemplate {
  readonly #name: string;
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, string>>;

  /** Throws FormatError when the text is not a Jinja template. */
  constructor(name: string, text: string, specialTokens: Readonly<Record<string, string>>) {
    this.#name = name;
    this.#specialTokens = specialTokens;
    this.#template = this.#attempt("does not parse", () => new Template(text));
  }

  /** The conversation as text. Throws FormatError with the template's own words when it refuses the messages. */
  render(messages: readonly Message[], { addGenerationPrompt = false, tools = null }: RenderOptions = {}): string {
    const variables = { messages, tools, documents: null, add_generation_prompt: addGenerationPrompt };
    return this.#attempt("refuses these messages", () =>
      this.#template.render({ ...this.#specialTokens, ...variables }),
    );
  }

  /**
   * The conversation as text, and the spans that the assistant wrote: from after the generation prompt to the end of
   * the turn, its closing mark included.
   *
   * Both ends are found by rendering what comes before them, which must be the start of the whole. A template may
   * write an assistant's last turn in its own way (Qwen3 adds an empty thought there); an earlier end is then looked
   * for as the turn's words followed by what closes a turn. Throws FormatError when neither succeeds.
   */
  spans(messages: readonly Message[], tools: readonly unknown[] | null = null): { text: string; assistant: Span[] } {
    const text = this.render(messages, { tools });
    const assistant: Span[] = [];
    messages.forEach((message, i) => {
      if (message.role !== "assistant") return;
      const start = this.#turnStart(messages, i, tools, text);
      assistant.push({ start, end: this.#turnEnd(messages, i, tools, text, start) });
    });
    return { text, assistant };
  }

  #turnStart(messages: readonly Message[], i: number, tools: readonly unknown[] | null, text: string): number {
    for (const addGenerationPrompt of [true, false]) {
      const before = this.render(messages.slice(0, i), { addGenerationPrompt, tools });
      if (text.startsWith(before)) return before.length;
    }
    throw this.#unstable(i, "what comes before it is rendered differently without it");
  }

  #turnEnd(
    messages: readonly Message[],
    i: number,
    tools: readonly unknown[] | null,
    text: string,
    start: number,
  ): number {
    const upTo = this.render(messages.slice(0, i + 1), { tools });
    if (text.startsWith(upTo) && upTo.length >= start) return upTo.length;
    const content = messages[i]!.content;
    if (typeof content === "string" && content.trim() !== "") {
      const words = content.trim();
      const last = upTo.lastIndexOf(words);
      const closed = words + upTo.slice(last + words.length);
      const found = last < 0 ? -1 : text.indexOf(closed, start);
      if (found >= 0) return found + closed.length;
    }
    throw this.#unstable(i, "it is rendered differently when messages follow");
  }

  #unstable(i: number, how: string): FormatError {
    return new FormatError(
      `${this.#name}: cannot tell which tokens of message ${i + 1} the assistant wrote, because ${how}. ` +
        'Give such conversations as {"prompt", "completion"} rows instead.',
    );
  }

  #attempt<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FormatError(`${this.#name} ${what}: ${reason}`, { cause });
    }
  }
}
