import { defineRow } from "../kit/define-row.ts";

export interface PreferenceContent {
  readonly kind: "preference";
  /** A text, messages, or null where both answers begin with it. */
  readonly prompt: unknown;
  readonly chosen: unknown;
  readonly rejected: unknown;
}

/** A better and a worse answer, for training from preferences (DPO and its kin). No task takes such rows yet. */
export const preferenceRow = defineRow<PreferenceContent>({
  kind: "preference",
  title: "a pair of a chosen and a rejected answer, for training from preferences such as DPO",
  required: ["chosen", "rejected"],
  optional: ["prompt"],
  texts: ["prompt", "chosen", "rejected"],
  isTemplated: true,
  shapes: ['{"prompt"?, "chosen", "rejected"}'],
  isText: true,
  read: ({ prompt = null, chosen, rejected }) => ({ kind: "preference", prompt, chosen, rejected }),
});
