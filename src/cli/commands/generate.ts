/** lorikeet generate: continues a prompt, or answers a conversation. */
import type { Command } from "commander";
import { readText } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import { FormatError, ShapeError, UnsupportedError } from "../../core/errors.ts";
import { flag, text, type ValuesOf } from "../../core/options.ts";
import { generationOptions } from "../../generate/generation-options.ts";
import type { JsonSchema } from "../../generate/json/json-schema.ts";
import { generate } from "../../generate/load-generate.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import type { Message } from "../../text/message.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { givenOf } from "../flags/options.ts";
import { loadModel, modelOptions } from "../model-options.ts";
import { expectFile } from "../paths/mistaken-paths.ts";
import { splitPath } from "../paths/paths.ts";
import { counted, notice, print } from "../terminal.ts";

const { weights, task, ...files } = modelOptions;
const options = {
  ...files,
  prompt: text({
    help: 'how the text starts, or what the user says to a model with a chat template; "" starts from the beginning-of-sequence token',
    common: true,
  }),
  raw: flag(false, { help: "continue the prompt as it is, without the model's chat template", common: true }),
  system: text({ help: "what the system says in front of the prompt, for a model with a chat template", common: true }),
  messages: text({
    placeholder: "file|json",
    help: "a conversation to answer: a JSON list of messages, or a file that holds one",
    common: true,
  }),
  ...generationOptions,
  jsonSchema: text({
    placeholder: "file|json",
    help: "write JSON of this schema: the schema, or a file that holds it",
  }),
  weights,
  task,
  json: flag(false, { help: "print one JSON object instead of streaming", common: true }),
  ...engineOptions,
};

export const command: Command = commandOf("generate", {
  description: "Continue a prompt, or answer it with a chat model or an encoder-decoder, streaming to the terminal.",
  options,
  examples: `
    $ lorikeet generate --model examples/pocket --prompt "The sea" --temperature 0.8 --top-p 0.95
    $ lorikeet generate --model base --adapter runs/sonnets/adapter --prompt "" --temperature 0 --max-new-tokens 60
    $ lorikeet generate --model chat --system "Answer in rhymes." --prompt "Where do parrots sleep?"
    $ lorikeet generate --model t5 --adapter runs/summary/adapter --prompt "summarize: ..." --num-beams 4`,
  run,
});

async function run(flags: Flags, command: Command): Promise<void> {
  const wanted = await wantedText(flags);
  const tokenizer = await AutoTokenizer.fromPretrained(flags.model);
  const messages = conversation(wanted, flags, tokenizer);
  const { base, model } = await loadModel(flags);
  const inputIds =
    messages === null
      ? promptIds(tokenizer, wanted as string, model.contextLength)
      : fitting(
          tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tokenize: true }),
          model.contextLength,
        );
  const answers = messages !== null || base.traits.stacks.length > 1;
  const decoder = tokenizer.streamDecoder({ after: answers ? [] : inputIds });
  const isOne = flags.numReturnSequences === 1;
  const stream = (text: string) => void (flags.json || !isOne || process.stdout.write(text));
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  if (!answers) stream(wanted as string);
  const jsonSchema = flags.jsonSchema === null ? undefined : await schemaOf(flags.jsonSchema);
  const started = performance.now();
  const all = await generate(model, [inputIds], {
    ...givenOf(command, generationOptions),
    eosTokenId: tokenizer.stopTokenIds,
    signal: stop.signal,
    ...{ tokenizer, jsonSchema },
    onToken: (id) => stream(decoder.push(id)),
  });
  stream(`${decoder.end()}\n`);
  const seconds = (performance.now() - started) / 1000;
  const count = all.reduce((sum, ids) => sum + ids.length, 0);
  const textOf = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
  if (flags.json) {
    const given = messages === null ? { prompt: wanted } : { messages };
    const speed = { seconds, tokens_per_second: count / seconds };
    for (const ids of all) print(JSON.stringify({ ...given, text: textOf(ids), tokens: ids, ...speed }));
  } else {
    if (!isOne) all.forEach((ids, i) => void print(`[${i + 1}] ${answers ? "" : wanted}${textOf(ids)}`));
    notice(`${counted(count, "token")}, ${(count / seconds).toFixed(0)} tokens/s`);
  }
  if (stop.signal.aborted) process.exitCode = 130;
}

type Flags = ValuesOf<typeof options>;

/** The text to continue, or the conversation to answer. */
async function wantedText({ prompt, messages, system, raw }: Flags): Promise<string | readonly Message[]> {
  if ((prompt === null) === (messages === null)) {
    const found = prompt === null ? "neither is given" : "both are given";
    throw new FormatError(`--prompt or --messages says what to write, and ${found}: give one of them`);
  }
  if (raw && (system !== null || messages !== null)) {
    const other = system === null ? "--messages" : "--system";
    throw new FormatError(`--raw continues a prompt without the chat template, and ${other} needs it: leave one out`);
  }
  if (messages === null) return prompt!;
  const { where, value } = await jsonOf("--messages", messages);
  return messagesOf(where, value);
}

/** A JSON schema, or the one in a file. */
async function schemaOf(given: string): Promise<JsonSchema> {
  const { where, value } = await jsonOf("--json-schema", given);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonSchema;
  throw new FormatError(
    `${where} is not a JSON schema, expected an object such as {"type": "object", "properties": ...}`,
  );
}

/** JSON that is given, or else the JSON of a file. */
async function jsonOf(flag: string, given: string): Promise<{ where: string; value: unknown }> {
  const isJson = /^\s*[[{]/.test(given);
  const where = isJson ? flag : `${flag} ${given}`;
  try {
    return { where, value: JSON.parse(isJson ? given : await readFileText(given)) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FormatError(`${where} is not JSON: ${error.message}`);
  }
}

async function readFileText(path: string): Promise<string> {
  expectFile(path, "--messages", "messages.json");
  const [folder, file] = splitPath(path);
  const source = openSource(folder);
  try {
    return await readText(source, file);
  } finally {
    await source.close();
  }
}

function messagesOf(where: string, found: unknown): readonly Message[] {
  const isMessage = (each: unknown) => typeof (each as Partial<Message> | null)?.role === "string";
  if (Array.isArray(found) && found.length > 0 && found.every(isMessage)) return found as Message[];
  throw new FormatError(`${where} is not a list of messages, expected [{"role": "user", "content": "..."}, ...]`);
}

/** The requested conversation: with a chat template, a prompt is the user's message. Null for plain text. */
function conversation(
  wanted: string | readonly Message[],
  { raw, system }: Flags,
  { hasChatTemplate, name }: Tokenizer,
): readonly Message[] | null {
  if (!hasChatTemplate) {
    if (typeof wanted === "string" && system === null) return null;
    const flag = system === null ? "--messages" : "--system";
    throw new UnsupportedError(`${flag} needs a chat template, and ${name} has none; give the whole text as --prompt`);
  }
  if (raw || wanted === "") return null;
  const turns = typeof wanted === "string" ? [{ role: "user", content: wanted }] : wanted;
  return system === null ? turns : [{ role: "system", content: system }, ...turns];
}

/** Ids that leave room for one more. */
function fitting(ids: number[], contextLength: number, what = "the conversation"): number[] {
  if (ids.length < contextLength) return ids;
  throw new ShapeError(
    `${what} has ${ids.length} tokens, the model's context is ${contextLength} and must hold one more`,
  );
}

/**
 * The prompt's token ids, starting the way the tokenizer starts a text; never empty, and with room for at least one
 * more.
 */
function promptIds(tokenizer: Tokenizer, prompt: string, contextLength: number): number[] {
  const ids = prompt === "" ? [] : tokenizer.encode(prompt);
  fitting(ids, contextLength, "--prompt");
  if (ids.length > 0) return ids;
  const begin = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  if (begin !== null) return [begin];
  throw new FormatError(
    `--prompt ${JSON.stringify(prompt)} has no tokens, and ${tokenizer.name} has no beginning-of-sequence token to start from`,
  );
}
