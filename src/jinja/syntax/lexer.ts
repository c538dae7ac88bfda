/**
 * A template's text as tokens: data, what opens and closes tags, and the tokens of expressions. White space beside tags
 * is cut as Jinja does with `trim_blocks` and `lstrip_blocks`, which transformers turns on.
 */
import { isSpace, stripEnd } from "../values/code-points.ts";
import { TemplateError } from "../values/errors.ts";
import { hexEscape } from "../values/print.ts";

export type TokenType = "data" | "{{" | "}}" | "{%" | "%}" | "name" | "string" | "int" | "float" | "operator" | "end";

export interface Token {
  readonly type: TokenType;
  /** The text of data, names and strings (unescaped), digits, or an operator. */
  readonly value: string;
  /** Where it begins in the text. */
  readonly at: number;
}

const NAME = /[\p{XID_Continue}_]+/uy;
const IDENTIFIER = /^[\p{XID_Start}_][\p{XID_Continue}]*$/u;
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const INT = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const OPENING = /\{[%{#]/g;
const PAIRS = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

/** The text with every line end as "\n" and without a last one, which is what places in errors refer to. */
export function normalizeTemplate(text: string): string {
  const lines = text.replace(/\r\n?/g, "\n");
  return lines.endsWith("\n") ? lines.slice(0, -1) : lines;
}

/** Tokens of a normalized text. Throws TemplateSyntaxError. */
export function tokenize(text: string): Token[] {
  return new Lexer(text).all();
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  /** Whether what came before ends a line: only then is the white space before a tag an indentation. */
  #lineStarts = true;

  constructor(text: string) {
    this.#text = text;
  }

  all(): Token[] {
    while (this.#at < this.#text.length) this.#root();
    this.#push("end", "", this.#text.length);
    return this.#tokens;
  }

  #root(): void {
    const start = this.#at;
    OPENING.lastIndex = start;
    const found = OPENING.exec(this.#text);
    if (found === null) {
      this.#push("data", this.#text.slice(start), start);
      this.#at = this.#text.length;
      return;
    }
    const [open] = found;
    const sign = this.#signAt(found.index + 2);
    this.#data(start, found.index, sign, open !== "{{");
    this.#at = found.index + 2 + sign.length;
    if (open === "{#") this.#comment(found.index);
    else if (open === "{{") this.#tag("{{", "}}", found.index);
    else if (!this.#raw(found.index)) this.#tag("{%", "%}", found.index);
  }

  #signAt(at: number): string {
    const char = this.#text[at];
    return char === "-" || char === "+" ? char : "";
  }

  /** Text before a tag, without what the tag cuts off. */
  #data(start: number, end: number, sign: string, strips: boolean): void {
    let data = this.#text.slice(start, end);
    if (sign === "-") data = stripEnd(data);
    else if (sign !== "+" && strips) {
      const line = data.lastIndexOf("\n") + 1;
      const indents = line < data.length && stripEnd(data.slice(line)) === "";
      if (indents && (line > 0 || this.#lineStarts)) data = data.slice(0, line);
    }
    if (data !== "") this.#push("data", data, start);
  }

  #comment(start: number): void {
    const close = this.#text.indexOf("#}", this.#at);
    if (close < 0) throw this.#error("Missing end of comment tag", start);
    const sign = close > this.#at ? this.#signAt(close - 1) : "";
    this.#afterTag(close + 2, sign, true);
  }

  /** Moves behind a tag that ends at `end`, and behind what its end cuts off. */
  #afterTag(end: number, sign: string, trims: boolean): void {
    let at = end;
    if (sign === "-") while (at < this.#text.length && isSpace(this.#text.charCodeAt(at))) at++;
    else if (sign === "" && trims && this.#text[at] === "\n") at++;
    this.#at = at;
    this.#lineStarts = this.#text[at - 1] === "\n";
  }

  /** Takes `{% raw %}...{% endraw %}`, if that is what begins here. */
  #raw(start: number): boolean {
    const opened = match(/\s*raw\s*(-?)%\}/y, this.#text, this.#at);
    if (opened === null) return false;
    this.#afterTag(this.#at + opened[0].length, opened[1]!, false);
    const from = this.#at;
    const closing = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
    closing.lastIndex = from;
    const closed = closing.exec(this.#text);
    if (closed === null) throw this.#error("Missing end of raw directive", start);
    this.#data(from, closed.index, closed[1]!, true);
    this.#afterTag(closed.index + closed[0].length, closed[2]!, true);
    return true;
  }

  #tag(open: "{{" | "{%", close: "}}" | "%}", start: number): void {
    this.#push(open, open, start);
    const expected: string[] = [];
    for (;;) {
      while (this.#at < this.#text.length && isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
      if (expected.length === 0 && this.#closes(close)) return;
      if (this.#at >= this.#text.length) return; // the parser says what is missing
      this.#expressionToken(expected);
    }
  }

  #closes(close: "}}" | "%}"): boolean {
    const sign = this.#signAt(this.#at);
    const at = this.#at + sign.length;
    if (!this.#text.startsWith(close, at) || (sign === "+" && close === "}}")) return false;
    this.#push(close, close, this.#at);
    this.#afterTag(at + 2, sign, close === "%}");
    return true;
  }

  #expressionToken(expected: string[]): void {
    const start = this.#at;
    const take = (pattern: RegExp) => match(pattern, this.#text, start)?.[0] ?? null;
    const push = (type: TokenType, source: string, value = source) => {
      this.#push(type, value, start);
      this.#at = start + source.length;
    };
    const [float, int, name, string] = [FLOAT, INT, NAME, STRING].map(take);
    if (float) push("float", float);
    else if (int) push("int", int);
    else if (name) {
      if (!IDENTIFIER.test(name)) throw this.#error("Invalid character in identifier", start);
      push("name", name);
    } else if (string) push("string", string, this.#unescape(string.slice(1, -1), start));
    else {
      const operator = take(OPERATOR);
      if (operator === null) throw this.#error(`unexpected char ${JSON.stringify(this.#text[start])}`, start);
      this.#balance(operator, expected);
      push("operator", operator);
    }
  }

  #balance(operator: string, expected: string[]): void {
    const closing = PAIRS.get(operator);
    if (closing !== undefined) expected.push(closing);
    if (!")]}".includes(operator)) return;
    const wanted = expected.pop();
    if (wanted === operator) return;
    throw this.#error(`unexpected '${operator}'${wanted === undefined ? "" : `, expected '${wanted}'`}`, this.#at);
  }

  /** Escapes as in Python's strings. */
  #unescape(text: string, at: number): string {
    if (!text.includes("\\")) return text;
    const pattern =
      /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([xuUN])|\n|([\\'"abfnrtv])|([^\0-\x7f]))/gu;
    return text.replace(pattern, (whole, octal, hex2, hex4, hex8, damaged, short, wide) => {
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      const hex = hex2 ?? hex4 ?? hex8;
      if (hex !== undefined) {
        const codePoint = Number.parseInt(hex, 16);
        if (codePoint > 0x10ffff) throw this.#error("illegal Unicode character", at);
        return String.fromCodePoint(codePoint);
      }
      if (damaged === "N") throw this.#error("\\N escapes are not supported in templates", at);
      if (damaged !== undefined) throw this.#error(`truncated \\${damaged} escape`, at);
      if (short !== undefined) return SHORT.get(short)!;
      return wide === undefined ? "" : hexEscape((whole as string).codePointAt(1)!);
    });
  }

  #push(type: TokenType, value: string, at: number): void {
    this.#tokens.push({ type, value, at });
  }

  #error(reason: string, at: number): TemplateError {
    return new TemplateError("TemplateSyntaxError", reason).locate(this.#text, at);
  }
}

const SHORT = new Map([
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
