/** Conversations: `messages` as templates take them, or ShareGPT's `conversations`. */
import { shownJson } from "../../core/python-json.ts";
import type { Message } from "../../text/chat.ts";
import { defineRow, type JsonRow, kindOf } from "../kit/define-row.ts";

export interface ChatContent {
  readonly kind: "chat";
  readonly messages: readonly Message[];
  readonly tools: readonly unknown[] | null;
}

/** A conversation, learned where the assistant speaks. */
export const chatRow = defineRow<ChatContent>({
  kind: "chat",
  title: "a conversation",
  required: ["messages"],
  optional: ["tools"],
  isTemplated: true,
  shapes: ['{"messages", "tools"?}'],
  isText: true,
  read: ({ messages, tools }) => conversation("messages", messages, tools),
});

/** ShareGPT's names of those who speak. */
const SPEAKERS: ReadonlyMap<unknown, string> = new Map([
  ...["human", "user"].map((name) => [name, "user"] as const),
  ...["gpt", "chatgpt", "bard", "bing", "model", "assistant"].map((name) => [name, "assistant"] as const),
  ...["tool", "observation", "function_response"].map((name) => [name, "tool"] as const),
  ["system", "system"],
]);

/** The same with the keys of ShareGPT. A "system" text is the first message. */
export const conversationsRow = defineRow<ChatContent>({
  kind: "conversations",
  alsoGives: ["chat"],
  title: "a conversation of ShareGPT",
  required: ["conversations"],
  optional: ["system", "tools"],
  texts: ["system"],
  isTemplated: true,
  shapes: ['{"conversations", "system"?, "tools"?}'],
  isText: true,
  read({ conversations, system = null, tools }) {
    if (!Array.isArray(conversations) || conversations.length === 0)
      return `"conversations" should be a list of turns, found ${kindOf(conversations)}`;
    if (system !== null && typeof system !== "string") return `"system" should be a text, found ${kindOf(system)}`;
    const messages: unknown[] = system === null || system === "" ? [] : [{ role: "system", content: system }];
    for (const [i, turn] of (conversations as (JsonRow | null)[]).entries()) {
      const message = messageOf(turn);
      if (typeof message === "string") return `"conversations"[${i}] ${message}`;
      messages.push(message);
    }
    return conversation("conversations", messages, tools);
  },
});

/** A turn as a message. Turns that are messages already stay as they are. */
function messageOf(turn: JsonRow | null): JsonRow | string {
  if (typeof turn === "object" && turn !== null && "role" in turn) return turn;
  const { from, value } = turn ?? {};
  const role = SPEAKERS.get(from);
  if (role === undefined)
    return `should be "from" one of ${[...SPEAKERS.keys()].join(", ")}, found ${from === undefined ? kindOf(turn) : shownJson(from)}`;
  return typeof value === "string" ? { role, content: value } : `should have a text "value", found ${kindOf(value)}`;
}

function conversation(key: string, messages: unknown, tools: unknown = null): ChatContent | string {
  const wrong = wrongMessages(key, messages) ?? wrongTools(tools);
  if (wrong !== null) return wrong;
  return { kind: "chat", messages: messages as Message[], tools: tools as unknown[] | null };
}

/** What is wrong with a list of messages, or null. */
export function wrongMessages(key: string, messages: unknown): string | null {
  if (!Array.isArray(messages) || messages.length === 0)
    return `"${key}" should be a list of messages, found ${kindOf(messages)}`;
  for (const [i, message] of messages.entries()) {
    const role = message?.role;
    if (typeof role !== "string") return `"${key}"[${i}] should be an object with a "role", found ${kindOf(message)}`;
    if (!("content" in message) && !("tool_calls" in message)) return `"${key}"[${i}] (${role}) has no "content"`;
  }
  return null;
}

/** What is wrong with a list of tools, or null. */
export function wrongTools(tools: unknown): string | null {
  return tools === null || Array.isArray(tools) ? null : `"tools" should be a list, found ${kindOf(tools)}`;
}
