/** Tokens taken one by one, and errors that say where they are wrong. */
import { TemplateError } from "../values/errors.ts";
import { type Token, type TokenType, tokenize } from "./lexer.ts";

/** Tags and parentheses inside one another. */
const MAX_NESTING = 200;

export class TokenReader {
  readonly #text: string;
  protected readonly tokens: readonly Token[];
  protected index = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.tokens = tokenize(text);
  }

  protected get token(): Token {
    return this.tokens[this.index]!;
  }
  protected next(): Token {
    const token = this.token;
    if (token.type !== "end") this.index++;
    return token;
  }
  protected is(type: TokenType, ...values: readonly string[]): boolean {
    return this.token.type === type && (values.length === 0 || values.includes(this.token.value));
  }
  protected isOperator(...values: readonly string[]): boolean {
    return this.is("operator", ...values);
  }
  protected isName(...values: readonly string[]): boolean {
    return this.is("name", ...values);
  }
  protected skip(type: TokenType, value: string): boolean {
    const found = this.is(type, value);
    if (found) this.index++;
    return found;
  }
  protected expect(type: TokenType, value?: string): Token {
    const token = this.token;
    if (token.type === type && (value === undefined || token.value === value)) return this.next();
    throw this.error(`expected ${value === undefined ? type : `'${value}'`}, got ${described(token)}`, token.at);
  }
  protected error(reason: string, at: number): TemplateError {
    return new TemplateError("TemplateSyntaxError", reason).locate(this.#text, at);
  }

  protected nested<T>(work: () => T): T {
    if (this.#depth >= MAX_NESTING) {
      const error = new TemplateError("LimitError", `more than ${MAX_NESTING} tags or parentheses inside one another`);
      throw error.locate(this.#text, this.token.at);
    }
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }
}

/** A token in messages. */
export function described({ type, value }: Token): string {
  if (type === "end") return "the end of the template";
  return type === "data" ? "text" : `'${value}'`;
}
