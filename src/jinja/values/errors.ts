/** What can go wrong in a template, under the names that Python and Jinja give it. */

export type ErrorKind =
  | "TypeError"
  | "ValueError"
  | "KeyError"
  | "IndexError"
  | "AttributeError"
  | "ZeroDivisionError"
  | "OverflowError"
  | "UndefinedError"
  | "SecurityError"
  | "FilterArgumentError"
  | "TemplateRuntimeError"
  | "TemplateSyntaxError"
  /** Raised by the template with `raise_exception`. */
  | "TemplateError"
  /** Beyond what one rendering may use. */
  | "LimitError"
  /** Right in Python, not done here. */
  | "UnsupportedError";

/** An error of a template or of its rendering. `line` and `column` count from 1 and are 0 until they are known. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  readonly kind: ErrorKind;
  /** The message without the place. */
  readonly reason: string;
  line = 0;
  column = 0;

  constructor(kind: ErrorKind, reason: string) {
    super(`${kind}: ${reason}`);
    this.kind = kind;
    this.reason = reason;
  }

  /** Says where in the text it happened, unless that is known already. */
  locate(text: string, at: number): this {
    if (this.line > 0) return this;
    const before = text.slice(0, at).split("\n");
    this.line = before.length;
    this.column = before.at(-1)!.length + 1;
    this.message = `line ${this.line}, column ${this.column}: ${this.kind}: ${this.reason}`;
    return this;
  }
}

export function typeError(reason: string): TemplateError {
  return new TemplateError("TypeError", reason);
}

export function valueError(reason: string): TemplateError {
  return new TemplateError("ValueError", reason);
}

export function unsupported(what: string): TemplateError {
  return new TemplateError("UnsupportedError", `${what} is not supported in templates`);
}

/** Whether a Python `except` of these kinds would catch it. */
export function isKind(error: unknown, ...kinds: readonly ErrorKind[]): error is TemplateError {
  return error instanceof TemplateError && kinds.includes(error.kind);
}
