/** Fills up encodings to one length. Rust counterpart: `utils/padding.rs`. */

import type { Direction } from "./encoding.ts";
import { TokenEncoding } from "./encoding.ts";
import { checkedId, type Fields, isObject, wrong } from "./fields.ts";

export interface Padding {
  /** Tokens; null for the longest of a batch. */
  readonly length: number | null;
  readonly direction: Direction;
  readonly multipleOf: number | null;
  readonly id: number;
  readonly typeId: number;
  readonly token: string;
}

export function readPadding(fields: Fields): Padding {
  fields.only("strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token");
  const strategy = fields.raw("strategy");
  const fixed = isObject(strategy) && Object.keys(strategy).length === 1 ? strategy.Fixed : undefined;
  if (strategy !== "BatchLongest" && (!Number.isSafeInteger(fixed) || (fixed as number) < 0)) {
    throw wrong(`${fields.path}.strategy`, strategy, '"BatchLongest" or {"Fixed": length}');
  }
  return {
    length: strategy === "BatchLongest" ? null : (fixed as number),
    direction: fields.oneOf("direction", ["Left", "Right"]),
    multipleOf: fields.has("pad_to_multiple_of") ? fields.count("pad_to_multiple_of") : null,
    id: checkedId(fields.raw("pad_id"), `${fields.path}.pad_id`),
    typeId: fields.tokenType("pad_type_id"),
    token: fields.string("pad_token"),
  };
}

export function pad(encodings: readonly TokenEncoding[], padding: Padding): TokenEncoding[] {
  let length = padding.length ?? Math.max(0, ...encodings.map((encoding) => encoding.length));
  const multiple = padding.multipleOf ?? 0;
  if (multiple > 0) length = Math.ceil(length / multiple) * multiple;
  return encodings.map((encoding) => padded(encoding, length, padding));
}

function padded(encoding: TokenEncoding, length: number, padding: Padding): TokenEncoding {
  const overflowing = encoding.overflowing.map((each) => padded(each, length, padding));
  const missing = length - encoding.length;
  if (missing <= 0) {
    encoding.overflowing = overflowing;
    return encoding;
  }
  const fill = new TokenEncoding();
  for (let i = 0; i < missing; i++) {
    fill.pushSpecial(padding.id, padding.token, padding.typeId);
    fill.attentionMask[i] = 0;
  }
  encoding.overflowing = [];
  const whole =
    padding.direction === "Left" ? TokenEncoding.joined([fill, encoding]) : TokenEncoding.joined([encoding, fill]);
  if (encoding.sequences.size === 0) whole.sequences.clear();
  whole.overflowing = overflowing;
  return whole;
}
