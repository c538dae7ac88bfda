/** How texts are generated: options of `generate`, of the commands that write text, and of docs/training-settings.md. */
import { atLeastZero, number, type Options, option, whole } from "../core/options.ts";
import type { EarlyStopping } from "./beam-search.ts";

export const generationOptions = {
  /** The most tokens to generate; fewer when a stop token comes or the context is full. */
  maxNewTokens: whole(128, 1, { help: "the most tokens to generate" }),
  /** Logits are divided by it; 0 is greedy: the largest logit wins. */
  temperature: atLeastZero(1, {
    help: "0 always picks the most likely token, 1 samples from the model's probabilities",
  }),
  /** Only the k largest logits are kept; 0 keeps all. */
  topK: whole(0, 0, { help: "sample from the k most likely tokens only; 0 keeps all" }),
  /** Only the most likely tokens whose probabilities reach this sum are kept (Holtzman et al. 2020); 1 keeps all. */
  topP: number(1, { help: "sample from the most likely tokens that reach this probability" }, { least: 0, most: 1 }),
  /** Determines every draw when the temperature is above 0. */
  seed: whole(0, 0, { help: "seed of the sampling" }),
  /** More than 1 is beam search: this many sequences are written side by side, without sampling, and the best is returned. */
  numBeams: whole(1, 1, { help: "beam search with this many beams, instead of sampling" }),
  /** For beam search: scores are divided by length to this power. Above 0 favors long sequences, below 0 short ones. */
  lengthPenalty: number(1, { help: "for beam search: above 0 favors long texts, below 0 short ones" }),
  /** For beam search: when to stop looking. */
  earlyStopping: option<EarlyStopping>(
    false,
    'true, false or "never"',
    (value) => typeof value === "boolean" || value === "never",
    {
      placeholder: "when",
      help: 'for beam search: stop when there are enough texts (true), when better ones are unlikely (false), or "never" early',
    },
  ),
} satisfies Options;
