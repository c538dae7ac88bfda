/** lorikeet generate: continues a prompt. */
import type { Command } from "commander";
import { FormatError, ShapeError } from "../../core/errors.ts";
import { flag, type ValuesOf } from "../../core/options.ts";
import { generate } from "../../generate/generate.ts";
import { generationOptions } from "../../generate/generation-options.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { loadModel, modelOptions } from "../model-options.ts";
import { givenOf, requiredText } from "../options.ts";
import { notice, print } from "../terminal.ts";

const { weights, task, ...files } = modelOptions;
const options = {
  ...files,
  prompt: requiredText({ help: 'how the text starts; "" starts from the beginning-of-sequence token' }),
  ...generationOptions,
  weights,
  task,
  json: flag(false, "print one JSON object instead of streaming"),
  ...engineOptions,
};

export const command: Command = commandOf("generate", {
  description: "Continue a prompt, or answer it with an encoder-decoder, streaming to the terminal.",
  options,
  examples: `
    $ lorikeet generate --model examples/pocket --prompt "The sea" --temperature 0.8 --top-p 0.95
    $ lorikeet generate --model base --adapter runs/sonnets/adapter --prompt "" --temperature 0 --max-new-tokens 60
    $ lorikeet generate --model t5 --adapter runs/summary/adapter --prompt "summarize: ..." --num-beams 4`,
  run,
});

async function run(flags: ValuesOf<typeof options>, command: Command): Promise<void> {
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
  const ids = await generate(model, inputIds, {
    ...givenOf(command, generationOptions),
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

/**
 * The prompt's token ids, starting the way the tokenizer starts a text; never empty, and with room for at least one
 * more.
 */
function promptIds(tokenizer: Tokenizer, prompt: string, contextLength: number): number[] {
  const ids = prompt === "" ? [] : tokenizer.encode(prompt);
  if (ids.length >= contextLength) {
    throw new ShapeError(
      `--prompt has ${ids.length} tokens, but the model's context is ${contextLength} and must hold at least one more`,
    );
  }
  if (ids.length > 0) return ids;
  const begin = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
  if (begin !== null) return [begin];
  throw new FormatError(
    `--prompt ${JSON.stringify(prompt)} has no tokens, and ${tokenizer.name} has no beginning-of-sequence token to start from`,
  );
}
