/**
 * The tasks of a decoder-only stack, shared by all models: a language model, and classes of texts, tokens and spans.
 */
import { gatherRows } from "../../ops/embed/embedding.ts";
import type { Value } from "../../tape/tape.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Bodies, Body, HeadDefinition, Headed } from "../define-model.ts";
import type { Embedding } from "../layers/embedding.ts";
import type { Linear } from "../layers/linear.ts";
import type { Weights } from "../layers/weights.ts";
import type { Pass } from "../pass/pass.ts";
import { perTokenHead } from "./per-token-head.ts";

/** A stack of decoder layers without a head. */
export interface Backbone extends Body {
  readonly width: number;
  readonly tokens: Embedding;
  readonly cache: { readonly layers: number; readonly width: number };
  /** Hidden rows after the last norm, [T, D]. */
  forward(pass: Pass): Value;
}

/** The config values that heads need. */
export interface HeadConfig {
  /** Whether the output projection is the embedding's own table. */
  readonly tied: boolean;
  /** Outputs of a classification head: the config's labels. */
  readonly outputs: number;
  /** Dropout in front of a token classifier. */
  readonly classifierDropout: number;
  /** The id that pads rows of a batch, null where the config names none. */
  readonly padTokenId: number | null;
}

export interface DecoderFamily<Config> {
  /** The prefix of the published class names, such as "Llama". */
  readonly className: string;
  /** The class name of the language model, `${className}ForCausalLM` by default. */
  readonly languageModel?: string;
  /** The published name of the stack, and the one below a span head if that differs. */
  readonly path: string;
  readonly spanPath?: string;
  /** Published name of a token classifier. */
  readonly tokenHead: string;
  build(config: Config, weights: Weights, engine: Engine): Backbone;
}

type DecoderHeads<Config> = {
  readonly [H in "languageModel" | "sequenceLabels" | "tokenLabels" | "answerSpan"]: HeadDefinition<Config, Bodies[H]>;
};

export function decoderHeads<Config extends HeadConfig>(family: DecoderFamily<Config>): DecoderHeads<Config> {
  const { className, path, spanPath = path, tokenHead, build } = family;
  return {
    languageModel: {
      architecture: family.languageModel ?? `${className}ForCausalLM`,
      build(config, w, engine) {
        const stack = build(config, w.at(path), engine);
        const shape = { inFeatures: stack.width, outFeatures: stack.vocabSize, output: true };
        return { ...stack, head: config.tied ? w.tiedHead("lm_head", stack.tokens) : w.linear("lm_head", shape) };
      },
    },
    sequenceLabels: {
      architecture: `${className}ForSequenceClassification`,
      build(config, w, engine) {
        const stack = build(config, w.at(path), engine);
        const score = w.head("score", { inFeatures: stack.width, outFeatures: config.outputs });
        return headed(stack, config.outputs, (hidden, pass) => onLastRows(hidden, pass, score, config.padTokenId));
      },
    },
    tokenLabels: {
      architecture: `${className}ForTokenClassification`,
      build(config, w, engine) {
        const stack = build(config, w.at(path), engine);
        const head = w.head(tokenHead, { inFeatures: stack.width, outFeatures: config.outputs, bias: true });
        return headed(stack, config.outputs, perTokenHead(head, config.classifierDropout));
      },
    },
    answerSpan: {
      architecture: `${className}ForQuestionAnswering`,
      build(config, w, engine) {
        const stack = build(config, w.at(spanPath), engine);
        const head = w.head("qa_outputs", { inFeatures: stack.width, outFeatures: 2, bias: true });
        return headed(stack, 2, (hidden, pass) => head.forward(hidden, pass));
      },
    },
  };
}

function headed(
  stack: Backbone,
  outputs: number,
  head: (hidden: Value, pass: Pass, rows?: Int32Array) => Value,
): Headed {
  return { ...stack, outputs, forward: (pass, rows) => head(stack.forward(pass), pass, rows) };
}

/** The head on the last row of each sequence that is not padding. A sequence may end with its padding token, as text. */
function onLastRows(hidden: Value, pass: Pass, head: Linear, padTokenId: number | null): Value {
  const { tape } = pass;
  const rows = Int32Array.from({ length: pass.starts.length - 1 }, (_, s) => lastRow(pass, s, padTokenId));
  const last = gatherRows(hidden, tape.ids(rows));
  return head.forward(last, pass.picked(rows));
}

/** As in transformers: the first row where all tokens are padding; the very last behind virtual tokens, which have no ids. */
function lastRow(pass: Pass, s: number, padTokenId: number | null): number {
  const [start, end] = [pass.starts[s]!, pass.starts[s + 1]!];
  if (pass.promptLength(s) > 0) return end - 1;
  const { ids, starts } = pass.sequences;
  const given = ids.subarray(starts[s], starts[s + 1]);
  return (
    start +
    Math.max(
      given.findLastIndex((id) => id !== padTokenId),
      0,
    )
  );
}
