/** What `applyChatTemplate` is given, checked. */
import { anObject, callback, expectArgument, listOf } from "../core/call-options.ts";
import { flag, type Options, text } from "../core/options.ts";

export const chatOptions = {
  tokenize: flag(false),
  addGenerationPrompt: flag(false),
  continueFinalMessage: flag(false),
  tools: listOf("a list of tools", () => true),
  documents: listOf("a list of documents", () => true),
  chatTemplate: text(),
  variables: anObject("what else the template knows"),
  now: callback(),
  limits: anObject("limits of a template"),
} satisfies Options;

/** Throws FormatError unless these are messages: the template decides about the rest. */
export function expectMessages(messages: unknown): void {
  const ok = Array.isArray(messages) && messages.every((each) => typeof each === "object" && each !== null);
  expectArgument(
    "applyChatTemplate",
    "the first argument",
    messages,
    ok,
    'a list of messages such as { role: "user", content: "Hi" }',
  );
}
