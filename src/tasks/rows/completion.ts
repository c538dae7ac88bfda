/** What comes first and what should follow, as texts or as messages. */
import type { Message } from "../../text/chat.ts";
import { defineRow, kindOf, notTexts } from "../kit/define-row.ts";
import { wrongMessages, wrongTools } from "./chat.ts";

export interface CompletionContent {
  readonly kind: "completion";
  readonly prompt: string;
  readonly completion: string;
}

export interface ChatCompletionContent {
  readonly kind: "chatCompletion";
  readonly prompt: readonly Message[];
  readonly completion: readonly Message[];
  readonly tools: readonly unknown[] | null;
}

/** A prompt with its completion, which alone is learned. Both are texts, or both are messages, as in TRL. */
export const completionRow = defineRow<CompletionContent | ChatCompletionContent>({
  kind: "completion",
  alsoGives: ["chatCompletion"],
  title: "a prompt with its completion",
  required: ["prompt", "completion"],
  optional: ["tools"],
  texts: ["prompt", "completion"],
  isTemplated: true,
  shapes: ['{"prompt", "completion"}'],
  isText: true,
  read(row) {
    const { prompt, completion, tools = null } = row;
    if (Array.isArray(prompt) && Array.isArray(completion)) {
      const wrong = wrongMessages("prompt", prompt) ?? wrongMessages("completion", completion) ?? wrongTools(tools);
      return wrong ?? { kind: "chatCompletion", prompt, completion, tools: tools as unknown[] | null };
    }
    if (Array.isArray(prompt) || Array.isArray(completion))
      return `"prompt" and "completion" should both be texts or both lists of messages, found ${kindOf(prompt)} and ${kindOf(completion)}`;
    const wrong = notTexts(row, "prompt", "completion");
    return wrong ?? { kind: "completion", prompt: prompt as string, completion: completion as string };
  },
});
