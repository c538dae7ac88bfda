/** lorikeet generate: writes on from a prompt. */
import { Command } from "commander";
import { FormatError, ShapeError } from "../../core/errors.ts";
import { generate } from "../../generate/generate.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { type LoadFlags, loadModel, taskOption, weightsOption, withEngineOptions } from "../model-options.ts";
import { needs, number, signed, whole } from "../options.ts";
import { notice, print } from "../terminal.ts";

interface Flags extends LoadFlags {
  prompt: string;
  maxNewTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  numBeams: number;
  lengthPenalty: number;
  json?: boolean;
}

export const command: Command = withEngineOptions(
  new Command("generate")
    .description("Write on from a prompt, or an encoder-decoder's answer to it, streaming to the terminal.")
    .option("--model <dir>", "model folder (config.json, model.safetensors, tokenizer.json), or a name on the hub")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--prompt <text>", 'how the text starts; "" starts from the beginning-of-sequence token')
    .option("--max-new-tokens <n>", "stop after this many tokens", whole(1), 128)
    .option("--temperature <x>", "0 is greedy, 1 draws as the model thinks likely", number(0), 1)
    .option("--top-k <n>", "draw from the k likeliest tokens only, 0 for all", whole(0), 0)
    .option("--top-p <x>", "draw from the likeliest tokens that reach this probability", number(0, 1), 1)
    .option("--seed <n>", "decides the draws", whole(0), 0)
    .option("--num-beams <n>", "beam search with this many beams instead of drawing", whole(1), 1)
    .option("--length-penalty <x>", "of beam search: above 0 favours long texts, below 0 short ones", signed, 1)
    .addOption(weightsOption())
    .addOption(taskOption())
    .option("--json", "print one JSON object instead of streaming"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet generate --model examples/pocket --prompt "The sea" --temperature 0.8 --top-p 0.95
  $ lorikeet generate --model base --adapter runs/sonnets/adapter --prompt "" --temperature 0 --max-new-tokens 60
  $ lorikeet generate --model t5 --adapter runs/summary/adapter --prompt "summarize: ..." --num-beams 4`,
  )
  .action(run);

needs(command, "--model", "--prompt");

async function run(flags: Flags): Promise<void> {
  const tokenizer = await AutoTokenizer.fromPretrained(flags.model);
  const { base, model } = await loadModel(flags);
  const inputIds = promptIds(tokenizer, flags.prompt, model.contextLength);
  const answers = base.traits.stacks.length > 1;
  const decoder = tokenizer.streamDecoder();
  const stream = (text: string) => void (flags.json || process.stdout.write(text));
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  if (!answers) stream(flags.prompt);
  const started = performance.now();
  const { maxNewTokens, temperature, topK, topP, seed, numBeams, lengthPenalty } = flags;
  const how = numBeams > 1 ? { numBeams, lengthPenalty } : { temperature, topK, topP, seed };
  const ids = await generate(model, inputIds, {
    maxNewTokens,
    ...how,
    eosTokenId: tokenizer.stopTokenIds,
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
  if (stop.signal.aborted) process.exitCode = 130;
}

/** The prompt's ids, begun as the tokenizer begins a text; never empty, and with room for at least one more. */
function promptIds(tokenizer: Tokenizer, prompt: string, contextLength: number): number[] {
  const ids = prompt === "" ? [] : tokenizer.encode(prompt);
  if (ids.length >= contextLength) {
    throw new ShapeError(
      `--prompt has ${ids.length} tokens, the model's context is ${contextLength} and has to hold one more`,
    );
  }
  if (ids.length > 0) return ids;
  const begin = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  if (begin !== null) return [begin];
  throw new FormatError(
    `--prompt ${JSON.stringify(prompt)} has no tokens, and ${tokenizer.name} names no beginning-of-sequence token to start from`,
  );
}
