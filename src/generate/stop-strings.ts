/** Ends a text at strings rather than tokens. */

/** A tokenizer, as far as text is made of ids. */
export interface Decodes {
  decode(ids: Iterable<number>, options?: { skipSpecialTokens?: boolean }): string;
}

/**
 * Whether the last of some ids completes one of the strings: it has the string's last character, or what follows it in the same
 * token. As in transformers a string may begin in the prompt.
 */
export function stopStringTest(strings: readonly string[], tokenizer: Decodes): (ids: readonly number[]) => boolean {
  const longest = Math.max(...strings.map((each) => new TextEncoder().encode(each).length));
  return (ids) => {
    const tail = ids.slice(-longest - 2); // a token is a byte or more; two more keep blanks at its edge
    const before = tokenizer.decode(tail.slice(0, -1)).length;
    const text = tokenizer.decode(tail);
    return strings.some((each) => {
      const at = text.lastIndexOf(each);
      return at >= 0 && at + each.length > before;
    });
  };
}
