/** What is typed in a chat and meant for the program. */
import { writeFile } from "node:fs/promises";
import { FormatError } from "../../core/errors.ts";
import { didYouMean } from "../../core/similar.ts";
import type { Message } from "../../text/message.ts";

/** What commands act on. */
export interface Chat {
  system: string | null;
  readonly messages: readonly Message[];
  reset(): void;
  /** Names of the loaded adapters, and "base" for none. */
  readonly adapters: readonly string[];
  adapter: string;
}

interface SlashCommand {
  readonly usage: string;
  readonly help: string;
  /** Returns what to say, or null to leave. */
  run(chat: Chat, rest: string): string | null | Promise<string>;
}

const commands: Readonly<Record<string, SlashCommand>> = {
  help: { usage: "/help", help: "show this list", run: () => helpText() },
  system: {
    usage: "/system TEXT",
    help: "what the system says first, from now on; without a text, show it",
    run(chat, rest) {
      if (rest !== "") chat.system = rest;
      return chat.system === null ? "no system text is set" : `system: ${chat.system}`;
    },
  },
  adapter: {
    usage: "/adapter NAME",
    help: "answer with this adapter, or with the base alone; without a name, list them",
    run(chat, rest) {
      if (rest === "") return chat.adapters.map((name) => `${name === chat.adapter ? "*" : " "} ${name}`).join("\n");
      if (!chat.adapters.includes(rest))
        throw new FormatError(
          `there is no adapter "${rest}", expected one of ${chat.adapters.join(", ")}.${didYouMean(rest, chat.adapters)}`,
        );
      chat.adapter = rest;
      return `answers come from ${rest === "base" ? "the base" : rest} now`;
    },
  },
  reset: {
    usage: "/reset",
    help: "forget the conversation; the system text stays",
    run(chat) {
      chat.reset();
      return "the conversation is forgotten";
    },
  },
  save: {
    usage: "/save FILE",
    help: "write the conversation: as messages, or as a row of data to a .jsonl file",
    run: save,
  },
  exit: { usage: "/exit", help: "leave; so do Ctrl-D, and Ctrl-C where no answer is being written", run: () => null },
};

/** Carries out "/name rest". Returns what to say, or null to leave. Throws FormatError for a command that does not exist. */
export async function runSlashCommand(chat: Chat, line: string): Promise<string | null> {
  const [, name, rest] = /^\/(\S*)\s*(.*)$/s.exec(line) as unknown as [string, string, string];
  if (Object.hasOwn(commands, name)) return commands[name]!.run(chat, rest.trim());
  throw new FormatError(
    `/${name} is not a command.${didYouMean(name, Object.keys(commands))} /help lists them; // begins a message with /`,
  );
}

function helpText(): string {
  const widest = Math.max(...Object.values(commands).map(({ usage }) => usage.length));
  return Object.values(commands)
    .map(({ usage, help }) => `${usage.padEnd(widest)}  ${help}`)
    .join("\n");
}

async function save({ messages }: Chat, file: string): Promise<string> {
  if (file === "") throw new FormatError("/save needs the name of a file, such as /save chat.json");
  if (file.endsWith(".jsonl")) await writeFile(file, `${JSON.stringify({ messages })}\n`, { flag: "a" });
  else await writeFile(file, `${JSON.stringify(messages, null, 2)}\n`);
  return `${messages.length} messages are in ${file}`;
}
