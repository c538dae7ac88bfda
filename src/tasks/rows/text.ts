import { defineRow, type Label, notTexts, withLabel } from "../kit/define-row.ts";

export interface TextContent {
  readonly kind: "text";
  readonly text: string;
  readonly textPair?: string;
  readonly label?: Label;
}

/** A text or a pair of texts, with or without a class, classes or value. */
export const textRow = defineRow<TextContent>({
  kind: "text",
  title: "a text",
  required: ["text"],
  optional: ["text_pair", "label"],
  texts: ["text", "text_pair"],
  shapes: ['{"text"}', '{"text", "text_pair"?, "label"}'],
  isText: true,
  read(row) {
    const { text, text_pair: textPair = null } = row;
    const wrong = notTexts(row, "text", ...(textPair === null ? [] : ["text_pair"]));
    if (wrong !== null) return wrong;
    return withLabel(
      { kind: "text", text: text as string, ...(textPair !== null && { textPair: textPair as string }) },
      row,
    );
  },
});
