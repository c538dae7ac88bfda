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
        return headed(stack, config.outputs, (hidden, pass) => onLastRows(hidden, pass, score));
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

/** The head on the last row of each sequence, which attends to all others. */
function onLastRows(hidden: Value, pass: Pass, head: Linear): Value {
  const { tape, starts } = pass;
  const rows = starts.subarray(1).map((end) => end - 1);
  const last = gatherRows(hidden, { tape, ptr: tape.upload(rows), count: rows.length });
  return head.forward(last, pass.picked(rows));
}
