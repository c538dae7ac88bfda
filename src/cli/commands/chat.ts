/** lorikeet chat: a conversation with a model in the terminal. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { BASE_ROUTE, DEFAULT_ADAPTER } from "../../adapt/adapter-name.ts";
import { PeftModel } from "../../adapt/peft-model.ts";
import { UnsupportedError } from "../../core/errors.ts";
import { files, flag, text, type ValuesOf } from "../../core/options.ts";
import { generationOptions } from "../../generate/generation-options.ts";
import { generate } from "../../generate/load-generate.ts";
import { PrefixCache } from "../../generate/prefix-cache.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { Conversation } from "../chat/conversation.ts";
import { type Chat, runSlashCommand } from "../chat/slash-commands.ts";
import { commandOf } from "../command.ts";
import { messageOf } from "../failure.ts";
import { givenOf } from "../flags/options.ts";
import { type Loaded, loadModel, modelOptions } from "../model-options.ts";
import { notice, print } from "../terminal.ts";

const { adapter: _, ...files_ } = modelOptions;
const { numReturnSequences: __, ...writing } = generationOptions;
const options = {
  ...files_,
  adapter: files({
    help: "folders of adapters; /adapter NAME chooses one by the name of its folder, the first to begin with",
    placeholder: "dirs",
  }),
  system: text("what the system says first"),
  raw: flag(false, "continue what is typed as plain text, for a model without a chat template"),
  ...writing,
  ...engineOptions,
};

/** The most tokens of an answer, where neither the user nor the model's files say it. */
const ANSWER = 1024;

export const command: Command = commandOf("chat", {
  description: "Talk to a model in the terminal. Commands begin with /: /help lists them.",
  options,
  examples: `
    $ lorikeet chat --model chat
    $ lorikeet chat --model chat --adapter runs/pirate/adapter runs/poet/adapter --system "Answer in one sentence."
    $ echo "Where do parrots sleep?" | lorikeet chat --model chat --temperature 0`,
  run,
});

type Flags = ValuesOf<typeof options>;

async function run(flags: Flags, command: Command): Promise<void> {
  const tokenizer = await AutoTokenizer.fromPretrained(flags.model);
  if (!tokenizer.hasChatTemplate && !flags.raw) throw new UnsupportedError(withoutTemplate(tokenizer));
  const [first = null, ...others] = flags.adapter;
  const loaded = await loadModel({ ...flags, adapter: first });
  const { base, model } = loaded;
  const adapters = await namedAdapters(loaded, first, others);
  const conversation = new Conversation(tokenizer, flags);
  const given = givenOf(command, writing);
  const limits = base.generationConfig ?? {};
  const isLimited = ["max_new_tokens", "max_length"].some((key) => typeof limits[key] === "number");
  const maxNewTokens = given.maxNewTokens ?? (isLimited || given.maxLength !== undefined ? undefined : ANSWER);
  const room = Math.min(maxNewTokens ?? ANSWER, Math.ceil(model.contextLength / 4));
  const names = [...adapters.keys()];
  const chat: Chat = {
    get system() {
      return conversation.system;
    },
    set system(text) {
      conversation.system = text;
    },
    get messages() {
      return conversation.messages;
    },
    reset: () => conversation.reset(),
    adapters: [...names, "base"],
    adapter: names[0] ?? "base",
  };
  const prefixCache = base.traits.stacks.length === 1 ? new PrefixCache() : undefined;

  const answer = async (question: string, signal: AbortSignal) => {
    conversation.ask(question);
    const { ids, forgotten } = conversation.prompt(model.contextLength, room);
    if (forgotten > 0)
      notice(
        `(the oldest ${forgotten === 1 ? "question was" : `${forgotten} questions were`} forgotten: the context has ${model.contextLength} tokens)`,
      );
    const decoder = tokenizer.streamDecoder();
    let written: number[] = [];
    try {
      const adapterNames = adapters.size === 0 ? undefined : [adapters.get(chat.adapter) ?? BASE_ROUTE];
      written = await generate(model, ids, {
        ...given,
        ...{ maxNewTokens, eosTokenId: tokenizer.stopTokenIds, signal, tokenizer, prefixCache, adapterNames },
        onToken: (id) => void process.stdout.write(decoder.push(id)),
      });
    } finally {
      print(decoder.end());
      conversation.answer(tokenizer.decode(written, { skipSpecialTokens: true }));
    }
    const isCut = written.length === maxNewTokens && !tokenizer.stopTokenIds.includes(written.at(-1)!);
    if (isCut) notice(`(cut at ${maxNewTokens} tokens: --max-new-tokens allows more)`);
  };
  try {
    await converse(chat, answer);
  } finally {
    prefixCache?.dispose();
  }
}

/** Reads lines until the end, or /exit. Ctrl-C stops the answer; where there is none, or a second time, it leaves. */
async function converse(chat: Chat, answer: (question: string, signal: AbortSignal) => Promise<void>): Promise<void> {
  const { stdin, stdout } = process;
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true;
  const lines = createInterface({
    input: stdin,
    terminal: isTerminal,
    ...(isTerminal && { output: stdout, prompt: "> " }),
  });
  let stop: AbortController | null = null;
  const interrupt = () => {
    if (stop !== null && !stop.signal.aborted) return stop.abort();
    process.exitCode = 130;
    lines.close();
    stop?.abort();
  };
  if (isTerminal) lines.on("SIGINT", interrupt);
  else process.on("SIGINT", interrupt);
  if (isTerminal) notice("Ask something; /help lists commands, /exit leaves.");
  if (isTerminal) lines.prompt();
  for await (const line of lines) {
    const said = line.trim();
    try {
      if (said.startsWith("/") && !said.startsWith("//")) {
        const reply = await runSlashCommand(chat, said);
        if (reply === null) break;
        notice(reply);
      } else if (said !== "") {
        stop = new AbortController();
        await answer(said.replace(/^\/\//, "/"), stop.signal);
      }
    } catch (error) {
      notice(`error: ${messageOf(error)}`);
      if (!isTerminal) process.exitCode = 1;
    }
    stop = null;
    if (process.exitCode === 130) break;
    if (isTerminal) lines.prompt();
  }
  lines.close();
  process.off("SIGINT", interrupt);
}

/** The adapters on the model by the names of their folders: "sonnets" for runs/sonnets/adapter. */
async function namedAdapters(
  { model }: Loaded,
  first: string | null,
  others: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  if (first === null || !(model instanceof PeftModel)) return names;
  const nameOf = (folder: string) => {
    const parts = folder.split(/[\\/]/).filter((part) => part !== "" && part !== "." && part !== "..");
    const last = parts.at(-1) === "adapter" ? parts.at(-2) : parts.at(-1);
    const own = last === undefined || last === "base" ? "adapter" : last;
    let name = own;
    for (let n = 2; names.has(name); n++) name = `${own}-${n}`;
    return name;
  };
  names.set(nameOf(first), DEFAULT_ADAPTER);
  for (const folder of others) {
    const name = nameOf(folder);
    await model.loadAdapter(folder, `chat-${names.size}`);
    names.set(name, `chat-${names.size}`);
  }
  return names;
}

function withoutTemplate({ name }: Tokenizer): string {
  return (
    `chat needs a chat template, and ${name} has none: give a chat model (often called "-Instruct" or "-chat"), ` +
    "or --raw to have what you type continued as plain text; `lorikeet generate --prompt` continues a single text"
  );
}
