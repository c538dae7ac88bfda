import { IGNORED } from "../../core/labels.ts";
import { shownJson } from "../../core/python-json.ts";
import { isWholeNumber } from "../../core/whole-numbers.ts";
import { defineRow, kindOf, type Label, withLabel } from "../kit/define-row.ts";

export interface TokensContent {
  readonly kind: "tokens";
  /** Without padding. */
  readonly inputIds: readonly number[];
  readonly labels: readonly number[] | null;
  readonly tokenTypes?: readonly number[];
  /** Padding that "attention_mask" shows, which is cut off. */
  readonly padding?: Padding;
  readonly label?: Label;
}

/** How many tokens of padding a row had. */
interface Padding {
  readonly left: number;
  readonly right: number;
}

/** Tokens as they are; −100 in "labels" is not learned. Zeros at the ends of "attention_mask" are padding, which is cut off. */
export const tokensRow = defineRow<TokensContent>({
  kind: "tokens",
  title: "tokens",
  required: ["input_ids"],
  optional: ["labels", "attention_mask", "token_type_ids", "label"],
  shapes: ['{"input_ids", "attention_mask"?, "labels"? or "label"?}'],
  isText: false,
  read(row) {
    const { input_ids: inputIds, labels = null, token_type_ids: tokenTypes = null, attention_mask: mask = null } = row;
    const wrong =
      wrongTokens("input_ids", inputIds, 0) ??
      (labels === null ? null : wrongTokens("labels", labels, IGNORED)) ??
      (tokenTypes === null ? null : wrongAligned("token_type_ids", tokenTypes, inputIds as number[])) ??
      (mask === null ? null : wrongAligned("attention_mask", mask, inputIds as number[]));
    if (wrong !== null) return wrong;
    const padding = mask === null ? { left: 0, right: 0 } : paddingOf(mask as number[]);
    if (typeof padding === "string") return padding;
    const given = {
      inputIds: unpadded(inputIds as number[], padding),
      labels: labels as number[] | null,
      ...(tokenTypes !== null && { tokenTypes: unpadded(tokenTypes as number[], padding) }),
      ...(padding.left + padding.right > 0 && { padding }),
    };
    return withLabel({ kind: "tokens", ...given }, row);
  },
});

/** The padding that a mask shows at its ends, or what is wrong with it. */
function paddingOf(mask: readonly number[]): Padding | string {
  const odd = mask.find((value) => value !== 0 && value !== 1);
  if (odd !== undefined) return `"attention_mask" should have zeros and ones, found ${odd}`;
  const [left, end] = [mask.indexOf(1), mask.lastIndexOf(1) + 1];
  if (left < 0) return '"attention_mask" is 0 everywhere: the row is all padding';
  const hole = mask.indexOf(0, left);
  if (hole >= 0 && hole < end) return `"attention_mask"[${hole}] is 0 between tokens, but padding is only at the ends`;
  return { left, right: mask.length - end };
}

function unpadded<T>(list: readonly T[], { left, right }: Padding): readonly T[] {
  return list.slice(left, list.length - right);
}

/** The "labels" that are one for each of the ids, or what is wrong with them. */
export function alignedLabels({ labels, inputIds, padding }: TokensContent): readonly number[] | string | null {
  if (labels === null) return null;
  const { left, right } = padding ?? { left: 0, right: 0 };
  const length = left + inputIds.length + right;
  if (labels.length === length) return unpadded(labels, { left, right });
  return `"labels" has ${labels.length} numbers and "input_ids" ${length}, they should be aligned`;
}

/** What is wrong with numbers that should be one for each of the ids, or null. */
function wrongAligned(key: string, list: unknown, ids: readonly number[]): string | null {
  const wrong = wrongTokens(key, list, 0);
  if (wrong !== null || (list as number[]).length === ids.length) return wrong;
  return `"${key}" has ${(list as number[]).length} numbers and "input_ids" ${ids.length}, they should be aligned`;
}

/** What is wrong with a list of token numbers, of which `ignored` may be below 0, or null. */
function wrongTokens(key: string, ids: unknown, ignored: number): string | null {
  if (!Array.isArray(ids) || ids.length === 0)
    return `"${key}" should be a list of whole numbers, found ${kindOf(ids)}`;
  const at = ids.findIndex((id) => !isWholeNumber(id) || (id < 0 && id !== ignored));
  if (at < 0) return null;
  const wanted = ignored < 0 ? `0 or more, or ${ignored}` : "0 or more";
  return `"${key}"[${at}] should be a whole number of ${wanted}, found ${shownJson(ids[at])}`;
}
