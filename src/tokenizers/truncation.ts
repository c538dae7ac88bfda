/** Cuts a text or a pair that is too long. Rust counterpart: `utils/truncation.rs`. */
import { StateError } from "../core/errors.ts";
import type { Direction, TokenEncoding } from "./encoding.ts";
import type { Fields } from "./fields.ts";

export const STRATEGIES = ["LongestFirst", "OnlyFirst", "OnlySecond"] as const;

/** How long texts are cut. */
export interface TruncationRule {
  /** Tokens at most, special ones included. */
  readonly maxLength: number;
  readonly strategy: (typeof STRATEGIES)[number];
  /** Tokens that a piece which overflowed shares with the one before it. */
  readonly stride: number;
  /** The side that is cut. */
  readonly direction: Direction;
}

export function readTruncation(fields: Fields): TruncationRule {
  fields.only("direction", "max_length", "strategy", "stride");
  return {
    maxLength: fields.count("max_length"),
    strategy: fields.oneOf("strategy", STRATEGIES),
    stride: fields.count("stride"),
    direction: fields.oneOf("direction", ["Left", "Right"], "Right"),
  };
}

/** Throws StateError when the text that is to be cut is too short to make enough room. */
export function truncate(
  encodings: readonly TokenEncoding[],
  { maxLength, strategy, stride, direction }: TruncationRule,
): TokenEncoding[] {
  const lengths = encodings.map(({ length }) => length);
  const kept = keptLengths(lengths, maxLength, strategy);
  return encodings.map((encoding, i) => encoding.truncated(kept[i]!, stride, direction));
}

/** How many tokens of each text stay. */
export function keptLengths(lengths: readonly number[], room: number, strategy: TruncationRule["strategy"]): number[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (room === 0) return lengths.map(() => 0);
  if (total <= room) return [...lengths];
  if (strategy === "LongestFirst") return lengths.length === 1 ? [room] : longestFirst(lengths, room);
  const cut = strategy === "OnlyFirst" ? 0 : 1;
  const length = lengths[cut];
  if (length === undefined) throw new StateError("truncation cuts the second text only, and there is none");
  if (length <= total - room) {
    throw new StateError(`truncation cannot make room: the ${cut === 0 ? "first" : "second"} text is too short`);
  }
  return lengths.map((each, i) => (i === cut ? each - (total - room) : each));
}

function longestFirst([first = 0, second = 0]: readonly number[], room: number): number[] {
  let shorter = Math.min(first, second);
  let longer = shorter > room ? shorter : Math.max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = Math.floor(room / 2);
    longer = shorter + (room % 2);
  }
  return first <= second ? [shorter, longer] : [longer, shorter];
}
