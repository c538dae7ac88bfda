/**
 * Converts Python's regular expressions to JavaScript's. Patterns in adapter files are matched by Python's `re`; the
 * two languages agree on nearly everything that patterns over module names use, and the rest is rewritten or refused.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";

/** Features that JavaScript lacks: conditionals, atomic groups, comments, possessive repeats. */
const lacking: readonly (readonly [RegExp, string])[] = [
  [/\(\?\(/, "conditional groups"],
  [/\(\?>/, "atomic groups"],
  [/\(\?#/, "comments"],
  [/\(\?[a-zA-Z]*-?[a-zA-Z]+[):]/, "inline flags"],
  [/[^\\][*+?}]\+/, "possessive repeats"],
];

/** A test for whole texts, as `re.fullmatch(pattern, text)`. `option` names the pattern in messages. */
export function fullMatch(pattern: string, option: string): (text: string) => boolean {
  const expression = compile(`^(?:${translate(pattern, option)})$`, pattern, option);
  return (text) => expression.test(text);
}

/** A search from the start of texts, as `re.match(pattern, text)`: null, or the match. */
export function matchStart(pattern: string, option: string): (text: string) => RegExpExecArray | null {
  const expression = compile(`^(?:${translate(pattern, option)})`, pattern, option);
  return (text) => expression.exec(text);
}

function translate(pattern: string, option: string): string {
  const found = lacking.find(([form]) => form.test(pattern));
  if (found) {
    throw new UnsupportedError(
      `${option} ${JSON.stringify(pattern)}: ${found[1]} are not supported; write the pattern without them`,
    );
  }
  return pattern
    .replace(/\(\?P</g, "(?<")
    .replace(/\(\?P=(\w+)\)/g, "\\k<$1>")
    .replace(/\\A/g, "^")
    .replace(/\\Z/g, "$")
    .replace(/\{,(\d+)\}/g, "{0,$1}")
    .replace(/\[(\^?)\]/g, "[$1\\]");
}

function compile(source: string, pattern: string, option: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    const reason = (cause as Error).message.split(": ").at(-1);
    throw new FormatError(`${option} ${JSON.stringify(pattern)} is not a valid regular expression: ${reason}`, {
      cause,
    });
  }
}
