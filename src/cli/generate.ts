/** lorikeet generate: writes on from a prompt. */
import { Command } from "commander";
import { generate } from "../generate/generate.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type EngineFlags, loadModel, loadTokenizer, withEngineOptions } from "./model-options.ts";
import { needs, number, whole } from "./options.ts";
import { notice, print } from "./terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  adapter?: string;
  prompt: string;
  maxNewTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  json?: boolean;
}

export const command: Command = withEngineOptions(
  new Command("generate")
    .description("Write on from a prompt, streaming to the terminal.")
    .option("--model <dir>", "model folder: config.json, model.safetensors, tokenizer.json")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--prompt <text>", 'how the text starts; "" starts from the beginning-of-sequence token')
    .option("--max-new-tokens <n>", "stop after this many tokens", whole(1), 128)
    .option("--temperature <x>", "0 is greedy, 1 draws as the model thinks likely", number(0), 1)
    .option("--top-k <n>", "draw from the k likeliest tokens only, 0 for all", whole(0), 0)
    .option("--top-p <x>", "draw from the likeliest tokens that reach this probability", number(0, 1), 1)
    .option("--seed <n>", "decides the draws", whole(0), 0)
    .option("--json", "print one JSON object instead of streaming"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet generate --model examples/pocket --prompt "The sea" --temperature 0.8 --top-p 0.95
  $ lorikeet generate --model base --adapter runs/sonnets/adapter --prompt "" --temperature 0 --max-new-tokens 60`,
  )
  .action(run);

needs(command, "--model", "--prompt");

async function run(flags: Flags): Promise<void> {
  const tokenizer = await loadTokenizer(flags.model);
  const { model } = await loadModel(flags.model, flags.adapter, flags);
  const inputIds = promptIds(tokenizer, flags.prompt);
  const decoder = tokenizer.streamDecoder();
  const stream = (text: string) => void (flags.json || process.stdout.write(text));
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  stream(flags.prompt);
  const started = performance.now();
  const ids = await generate(model, inputIds, {
    ...flags,
    eosTokenId: tokenizer.eosTokenId,
    signal: stop.signal,
    onToken: (id) => stream(decoder.push(id)),
  });
  stream(`${decoder.end()}\n`);
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) {
    const text = tokenizer.decode(ids, { skipSpecialTokens: true });
    print(
      JSON.stringify({ prompt: flags.prompt, text, tokens: ids, seconds, tokens_per_second: ids.length / seconds }),
    );
  } else {
    notice(`${ids.length} tokens, ${(ids.length / seconds).toFixed(0)} tokens/s`);
  }
}

/** The prompt's ids, begun as the tokenizer begins a text; never empty. */
function promptIds(tokenizer: Tokenizer, prompt: string): number[] {
  const ids = prompt === "" ? [] : tokenizer.encode(prompt);
  if (ids.length > 0) return ids;
  const begin = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  return begin === null ? [] : [begin];
}
