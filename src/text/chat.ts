/**
 * Conversations as text: a model's own Jinja template, and which stretches of its output the assistant wrote.
 *
 * Templates see what transformers' `apply_chat_template` gives them: `messages`, `tools`, `documents`,
 * `add_generation_prompt`, the special tokens by name, and further variables by the names that the caller gives.
 */
import { FormatError } from "../core/errors.ts";
import { type Rendered, Template, TemplateError, type TemplateLimits } from "../jinja/template.ts";
import { strip, stripEnd } from "../jinja/values/code-points.ts";
import { assistantSpans } from "./assistant-spans.ts";
import type { Message, Span } from "./message.ts";

export type { Message, Span } from "./message.ts";

/** How a chat template is rendered. */
export interface RenderOptions {
  /** End with the start of an assistant's turn, which the model continues. */
  readonly addGenerationPrompt?: boolean;
  /** End inside the last message, for the model to continue it. Not together with `addGenerationPrompt`. */
  readonly continueFinalMessage?: boolean;
  /** JSON schemas of functions the assistant may call. */
  readonly tools?: readonly unknown[] | null;
  /** Texts to answer from: objects, usually with "title" and "text". */
  readonly documents?: readonly unknown[] | null;
  /** Another template: the name of one that the model has, or a text. */
  readonly chatTemplate?: string | null;
  /** What else the template knows, such as `{ enable_thinking: false }`. Numbers: see `fromJs` in src/jinja/. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The time for templates that write today's date; now unless given. */
  readonly now?: () => Date;
  /** What the template may use, where it is not that of src/jinja/values/limits.ts. */
  readonly limits?: Partial<TemplateLimits>;
}

const OWN_VARIABLES = ["messages", "tools", "documents", "add_generation_prompt"];
/** Put after the last message to find its end. The blank shows whether the template trims. */
const END_MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

/** A compiled template. `name` is what messages call it. */
export class ChatTemplate {
  readonly #name: string;
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, unknown>>;

  /** Throws FormatError when the text is not a Jinja template. */
  constructor(name: string, text: string, specialTokens: Readonly<Record<string, unknown>>) {
    this.#name = name;
    this.#specialTokens = specialTokens;
    this.#template = this.#attempt("does not parse", () => new Template(text));
  }

  /** The conversation as text. Throws FormatError with the template's own words when it refuses the messages. */
  render(messages: readonly Message[], options: RenderOptions = {}): string {
    if (options.continueFinalMessage !== true) return this.#render(messages, options).text;
    if (options.addGenerationPrompt === true) {
      throw this.#error("continueFinalMessage and addGenerationPrompt exclude each other: give one of them");
    }
    return this.#unfinished(messages, options);
  }

  /**
   * The conversation as text, and the spans that the assistant wrote. A template with `{% generation %}` blocks says so
   * itself; in others a turn counts from after the generation prompt to its closing mark. Throws FormatError when the turns
   * cannot be told apart.
   */
  spans(messages: readonly Message[], options: RenderOptions = {}): { text: string; assistant: Span[] } {
    if (options.continueFinalMessage === true) {
      throw this.#error("continueFinalMessage leaves no turn to learn from: leave it out");
    }
    const time = options.now?.() ?? new Date();
    const fixed = { ...options, now: () => time };
    const whole = this.#render(messages, fixed);
    if (this.#template.marksGenerations) {
      return { text: whole.text, assistant: whole.generations.filter(({ start, end }) => start < end) };
    }
    const render = (some: readonly Message[], addGenerationPrompt: boolean): Rendered | null => {
      try {
        return this.#render(some, { ...fixed, addGenerationPrompt });
      } catch (error) {
        if (error instanceof FormatError) return null; // many templates refuse some orders of roles
        throw error;
      }
    };
    const found = assistantSpans(whole, messages, render);
    if (typeof found !== "string") return { text: whole.text, assistant: found };
    throw this.#error(
      `cannot tell which tokens the assistant wrote, because ${found}. ` +
        'Put {% generation %} blocks into the template, or give such conversations as {"prompt", "completion"} rows.',
    );
  }

  #render(messages: readonly Message[], options: RenderOptions): Rendered {
    const { addGenerationPrompt = false, tools = null, documents = null, variables = {}, now, limits = {} } = options;
    for (const [what, list] of [
      ["tools", tools],
      ["documents", documents],
    ] as const) {
      const odd = list?.find((item) => typeof item !== "object" || item === null || Array.isArray(item));
      if (odd !== undefined) throw this.#error(`${what} should be JSON objects, found ${typeof odd} among them`);
    }
    const taken = OWN_VARIABLES.find((name) => Object.hasOwn(variables, name));
    if (taken !== undefined) throw this.#error(`"${taken}" is an option, not one of the variables`);
    const own = { messages, tools, documents, add_generation_prompt: addGenerationPrompt };
    return this.#attempt("refuses these messages", () =>
      this.#template.render(
        { ...this.#specialTokens, ...variables, ...own },
        { limits, ...(now !== undefined && { now }) },
      ),
    );
  }

  /** The text up to the end of the last message's words. */
  #unfinished(messages: readonly Message[], options: RenderOptions): string {
    const last = messages.at(-1);
    const words = lastText(last?.content);
    if (last === undefined || words === null) throw this.#error("the final message has no text to continue");
    const marked = { ...last, content: withMark(last.content, words.index) };
    const { text } = this.#render([...messages.slice(0, -1), marked], options);
    const mark = strip(END_MARK);
    if (!text.includes(strip(words.text)) || !text.includes(mark)) {
      throw this.#error("the template does not keep the final message's words, so they cannot be continued");
    }
    const at = text.lastIndexOf(mark);
    return text.startsWith(END_MARK, at) ? text.slice(0, at) : stripEnd(text.slice(0, at));
  }

  #error(reason: string): FormatError {
    return new FormatError(`${this.#name}: ${reason}`);
  }

  #attempt<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      throw new FormatError(`${this.#name} ${what}: ${cause.message}`, { cause });
    }
  }
}

/** The text of a message, or the last one of its parts. */
function lastText(content: unknown): { text: string; index: number | null } | null {
  if (typeof content === "string") return { text: content, index: null };
  if (!Array.isArray(content)) return null;
  const index = content.findLastIndex((part) => typeof part === "object" && part !== null && "text" in part);
  const text: unknown = content[index]?.text;
  return typeof text === "string" ? { text, index } : null;
}

function withMark(content: unknown, index: number | null): unknown {
  if (index === null) return `${content}${END_MARK}`;
  return (content as { text: string }[]).map((part, i) =>
    i === index ? { ...part, text: part.text + END_MARK } : part,
  );
}
