/** One turn. `content` is text, or what the template at hand understands; further keys are passed on as they are. */
export interface Message {
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** Characters [start, end) of a rendered conversation, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}
