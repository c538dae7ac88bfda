import { IGNORED } from "../../core/labels.ts";
import { defineRow, kindOf, type Label, withLabel } from "../kit/define-row.ts";

export interface TokensContent {
  readonly kind: "tokens";
  readonly inputIds: readonly number[];
  readonly labels: readonly number[] | null;
  readonly tokenTypes?: readonly number[];
  readonly label?: Label;
}

/** Tokens as they are; −100 in "labels" is not learned. */
export const tokensRow = defineRow<TokensContent>({
  kind: "tokens",
  title: "tokens",
  required: ["input_ids"],
  optional: ["labels", "token_type_ids", "label"],
  shapes: ['{"input_ids", "labels"? or "label"?}'],
  isText: false,
  read(row) {
    const { input_ids: inputIds, labels = null, token_type_ids: tokenTypes = null } = row;
    const wrong =
      wrongTokens("input_ids", inputIds, 0) ??
      (labels === null ? null : wrongTokens("labels", labels, IGNORED)) ??
      (tokenTypes === null ? null : wrongTokens("token_type_ids", tokenTypes, 0));
    if (wrong !== null) return wrong;
    const ids = inputIds as number[];
    const types = tokenTypes as number[] | null;
    if (types !== null && types.length !== ids.length)
      return `"token_type_ids" has ${types.length} numbers and "input_ids" ${ids.length}, they should be aligned`;
    const given = { inputIds: ids, labels: labels as number[] | null, ...(types !== null && { tokenTypes: types }) };
    return withLabel({ kind: "tokens", ...given }, row);
  },
});

/** What is wrong with "labels" that should be one for each of the ids, or null. */
export function misaligned({ labels, inputIds }: TokensContent): string | null {
  if (labels === null || labels.length === inputIds.length) return null;
  return `"labels" has ${labels.length} numbers and "input_ids" ${inputIds.length}, they should be aligned`;
}

/** What is wrong with a list of token numbers, of which `ignored` may be below 0, or null. */
function wrongTokens(key: string, ids: unknown, ignored: number): string | null {
  if (!Array.isArray(ids) || ids.length === 0)
    return `"${key}" should be a list of whole numbers, found ${kindOf(ids)}`;
  const at = ids.findIndex((id) => !Number.isInteger(id) || (id < 0 && id !== ignored));
  if (at < 0) return null;
  const wanted = ignored < 0 ? `0 or more, or ${ignored}` : "0 or more";
  return `"${key}"[${at}] should be a whole number of ${wanted}, found ${JSON.stringify(ids[at])}`;
}
