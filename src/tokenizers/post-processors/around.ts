/** Special tokens before and behind the tokens of a text, and of what overflowed from it. */
import { TokenEncoding } from "../encoding.ts";
import type { SpecialToken } from "./special-token.ts";

/** `sequence` is the number of the text, `type` that of the tokens put. */
export function around(
  encoding: TokenEncoding,
  before: readonly SpecialToken[],
  behind: readonly SpecialToken[],
  sequence: number,
  type: number,
): TokenEncoding {
  const own = encoding.slice(0, encoding.length);
  own.specialTokensMask.fill(0);
  own.attentionMask.fill(1);
  own.setSequence(sequence);
  const parts = [specials(before, type), own, specials(behind, type)];
  const whole = TokenEncoding.joined(parts);
  whole.overflowing = encoding.overflowing.map((each) => around(each, before, behind, sequence, type));
  return whole;
}

export function specials(tokens: readonly SpecialToken[], type: number): TokenEncoding {
  const encoding = new TokenEncoding();
  for (const { id, token } of tokens) encoding.pushSpecial(id, token, type);
  return encoding;
}
