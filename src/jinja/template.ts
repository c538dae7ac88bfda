/**
 * Jinja templates as transformers renders chat templates: Jinja2 3.1 in its immutable sandbox with `trim_blocks`,
 * `lstrip_blocks`, loop controls, `{% generation %}`, `tojson`, `raise_exception` and `strftime_now`, and Python's values.
 */

import { FILTERS } from "./filters/filters.ts";
import { TESTS } from "./objects/tests.ts";
import type { Turn } from "./render/output.ts";
import { Renderer } from "./render/renderer.ts";
import { normalizeTemplate } from "./syntax/lexer.ts";
import type { BlockNode } from "./syntax/nodes.ts";
import { parseTemplate } from "./syntax/parser.ts";
import { unitIndex } from "./values/code-points.ts";
import { TemplateError } from "./values/errors.ts";
import { fromJs } from "./values/from-js.ts";
import { LIMITS, type TemplateLimits } from "./values/limits.ts";
import type { PyValue } from "./values/values.ts";

export type { Turn } from "./render/output.ts";
export { TemplateError } from "./values/errors.ts";
export type { TemplateLimits } from "./values/limits.ts";
export { LIMITS } from "./values/limits.ts";

export interface RenderSettings {
  /** Limits other than those of limits.ts. */
  readonly limits?: Partial<TemplateLimits>;
  /** The time that `strftime_now` writes, as local time; now unless given. */
  readonly now?: () => Date;
}

/** A rendered template. All places are UTF-16 units of `text`, [start, end). */
export interface Rendered {
  readonly text: string;
  /** What loops over `messages` wrote, with the number of the message each turn was about. */
  readonly turns: readonly Turn[];
  /** What generation blocks wrote, as transformers counts it. */
  readonly generations: readonly { readonly start: number; readonly end: number }[];
}

/** A parsed template, which can be rendered many times. */
export class Template {
  readonly #text: string;
  readonly #block: BlockNode;
  /** Whether it has a generation block. */
  readonly marksGenerations: boolean;

  /** Throws TemplateError with line and column when the text is not a template. */
  constructor(text: string) {
    this.#text = normalizeTemplate(text);
    const parsed = parseTemplate(this.#text, { filters: FILTERS, tests: TESTS });
    this.#block = parsed;
    this.marksGenerations = parsed.marksGenerations;
  }

  /**
   * The text for these variables, given as `fromJs` takes them. Throws TemplateError with line and column when the template
   * raises an error or goes beyond a limit.
   *
   * @example
   * new Template("{% for m in messages %}{{ m.content }}{% endfor %}").render({ messages }).text;
   */
  render(variables: Readonly<Record<string, unknown>>, settings: RenderSettings = {}): Rendered {
    const values = new Map<string, PyValue>();
    for (const [name, value] of Object.entries(variables)) values.set(name, fromJs(value));
    const messages = values.get("messages");
    const renderer = new Renderer(values, {
      limits: { ...LIMITS, ...settings.limits },
      now: settings.now ?? (() => new Date()),
      messages: Array.isArray(messages) ? messages : [],
    });
    try {
      const { turns, generations, ...result } = this.#rendered(renderer);
      return { ...result, turns, generations };
    } catch (error) {
      throw located(error, this.#text, renderer.at);
    }
  }

  #rendered(renderer: Renderer): Rendered {
    const result = renderer.render(this.#block);
    const text = result.text();
    const generations = result.generations.map(({ start, end }) => ({
      start: unitIndex(text, start),
      end: unitIndex(text, end),
    }));
    return { text, turns: result.turns, generations };
  }
}

/** The engine's own limits on stack and strings count as limits of the template. */
function located(error: unknown, text: string, at: number): unknown {
  if (error instanceof TemplateError) return error.locate(text, at);
  if (!(error instanceof RangeError)) return error;
  return new TemplateError("LimitError", `the template needs more than there is (${error.message})`).locate(text, at);
}
