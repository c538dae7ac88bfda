/** Texts that a model writes: what follows a prompt or a chat, or the answer to a source. */
import { callOptions, camelKeys, expectArgument } from "../core/call-options.ts";
import { flag, type Options, orNull } from "../core/options.ts";
import type { GenerateOptions } from "../generate/generate-options.ts";
import { generate } from "../generate/load-generate.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { Message } from "../text/chat.ts";
import { chatOptions } from "../text/chat-options.ts";
import { forEach, type PipelineModel } from "./loaded.ts";
import type { GeneratedChat, GeneratedText, Text2TextGenerationOptions, TextGenerationOptions } from "./results.ts";

type Prompt = string | readonly Message[];

/** Options of the pipeline's own; `generate` checks the others. */
const own = {
  returnFullText: flag(true),
  addSpecialTokens: flag(true),
  continueFinalMessage: orNull(flag(false)),
  tools: chatOptions.tools,
} satisfies Options;

export function textGeneration(loaded: PipelineModel) {
  return async (prompts: Prompt | readonly Prompt[], given: TextGenerationOptions = {}) => {
    const isOne = typeof prompts === "string" || isChat(prompts);
    const results = await forEach(prompts, isOne, async (prompt: Prompt) => [await continued(loaded, prompt, given)]);
    return isOne ? results[0]! : results;
  };
}

/** Whether a list is of messages, not of prompts. */
function isChat(prompts: unknown): prompts is readonly Message[] {
  return Array.isArray(prompts) && typeof prompts[0] === "object" && prompts[0] !== null && "role" in prompts[0];
}

async function continued(
  loaded: PipelineModel,
  prompt: Prompt,
  given: TextGenerationOptions,
): Promise<GeneratedText | GeneratedChat> {
  const { returnFullText, addSpecialTokens, continueFinalMessage, tools, ...rest } = camelKeys(
    given,
  ) as TextGenerationOptions;
  const settings = callOptions("text-generation", own, {
    returnFullText,
    addSpecialTokens,
    continueFinalMessage,
    tools,
  });
  const { tokenizer } = loaded;
  const ok = typeof prompt === "string" || isChat(prompt);
  expectArgument("text-generation", "a prompt", prompt, ok, "a text, or a list of messages with a role and a content");
  const goesOn = typeof prompt !== "string" && (settings.continueFinalMessage ?? prompt.at(-1)?.role === "assistant");
  const ids =
    typeof prompt === "string"
      ? tokenizer.encode(prompt, { addSpecialTokens: settings.addSpecialTokens })
      : tokenizer.applyChatTemplate(prompt, {
          ...{ tokenize: true, addGenerationPrompt: !goesOn, continueFinalMessage: goesOn },
          ...(tools !== undefined && { tools }),
        });
  const text = await written(loaded, ids, rest, true);
  if (!settings.returnFullText) return { generated_text: text };
  if (typeof prompt === "string") return { generated_text: prompt + text };
  if (!goesOn) return { generated_text: [...prompt, { role: "assistant", content: text }] };
  const last = prompt.at(-1)!;
  return { generated_text: [...prompt.slice(0, -1), { ...last, content: `${last.content}${text}` }] };
}

/** What transformers' pipelines do where neither the caller nor the model's generation_config.json says it; they draw as well. */
const LENGTH = 256;
const BEAMS = 4;

function defaultsFor({ generationConfig }: Model, given: GenerateOptions, numBeams: number): GenerateOptions {
  const says = (...keys: string[]) => keys.some((key) => (generationConfig?.[key] ?? null) !== null);
  const isLong = given.maxLength !== undefined || says("max_new_tokens", "max_length");
  return { ...(!isLong && { maxNewTokens: LENGTH }), ...(!says("num_beams") && { numBeams }) };
}

/** What the model writes after ids, as a text that continues theirs, or that stands alone. */
async function written(
  { model, base, tokenizer }: PipelineModel,
  ids: readonly number[],
  given: GenerateOptions,
  goesOn: boolean,
): Promise<string> {
  const made = await generate(model, ids, {
    eosTokenId: tokenizer.stopTokenIds,
    ...defaultsFor(base, given, goesOn ? 1 : BEAMS),
    ...given,
    tokenizer,
  });
  const decode = (some: readonly number[]) => tokenizer.decode(some, { skipSpecialTokens: true });
  return goesOn ? decode([...ids, ...made]).slice(decode(ids).length) : decode(made);
}

export function text2textGeneration(loaded: PipelineModel) {
  return (texts: string | readonly string[], given: Text2TextGenerationOptions = {}): Promise<GeneratedText[]> =>
    forEach(texts, !Array.isArray(texts), async (text: string) => {
      expectArgument("text2text-generation", "a text", text, typeof text === "string", "a text or a list of texts");
      return {
        generated_text: await written(
          loaded,
          loaded.tokenizer.encode(text),
          camelKeys(given) as GenerateOptions,
          false,
        ),
      };
    });
}
