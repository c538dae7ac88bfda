/** The tasks of an encoder, shared by all models: rows and a pooled vector, and classes of texts, tokens and spans. */
import { gatherRows } from "../../ops/embed/embedding.ts";
import type { Value } from "../../tape/tape.ts";
import type { Bodies, Encoder, HeadDefinition, Headed } from "../define-model.ts";
import type { Weights } from "../layers/weights.ts";
import type { Pass, PassRows } from "../pass/pass.ts";
import { perTokenHead } from "./per-token-head.ts";

/** The config values that heads need. */
export interface EncoderHeadConfig {
  readonly width: number;
  /** Outputs of a classification head: the config's labels. */
  readonly outputs: number;
  /** Dropout in front of a token classifier, and of the scores of spans. */
  readonly tokenDropout: number;
  readonly spanDropout: number;
}

/** From the first rows of the sequences, [sequences, D], to a vector or to logits. */
export type OfFirstRows = (rows: Value, at: PassRows) => Value;

export interface EncoderFamily<Config> {
  /** The prefix of the published class names, such as "Bert". */
  readonly className: string;
  /** Published name of the stack below a head. */
  readonly path: string;
  /** Embeddings and layers. */
  build(config: Config, weights: Weights): Encoder;
  /** The layers of the bare encoder after them, if any. `weights` is at the stack. */
  pooler?(config: Config, weights: Weights): OfFirstRows;
  /** The head of a text classifier. `weights` is at the root. */
  classifier(config: Config, weights: Weights): OfFirstRows;
}

type EncoderHeads<Config> = {
  readonly [H in "features" | "sequenceLabels" | "tokenLabels" | "answerSpan"]: HeadDefinition<Config, Bodies[H]>;
};

export function encoderHeads<Config extends EncoderHeadConfig>(family: EncoderFamily<Config>): EncoderHeads<Config> {
  const { className, path } = family;
  return {
    features: {
      architecture: `${className}Model`,
      build(config, w) {
        const stack = family.build(config, w);
        const pooler = family.pooler?.(config, w);
        return pooler ? { ...stack, pool: (hidden, pass) => onFirstRows(hidden, pass, pooler) } : stack;
      },
    },
    sequenceLabels: {
      architecture: `${className}ForSequenceClassification`,
      build(config, w) {
        const stack = family.build(config, w.at(path));
        const classify = family.classifier(config, w);
        return headed(stack, config.outputs, (hidden, pass) => onFirstRows(hidden, pass, classify));
      },
    },
    tokenLabels: {
      architecture: `${className}ForTokenClassification`,
      build(config, w) {
        const stack = family.build(config, w.at(path));
        const head = w.head("classifier", { inFeatures: config.width, outFeatures: config.outputs, bias: true });
        return headed(stack, config.outputs, perTokenHead(head, config.tokenDropout));
      },
    },
    answerSpan: {
      architecture: `${className}ForQuestionAnswering`,
      build(config, w) {
        const stack = family.build(config, w.at(path));
        const head = w.head("qa_outputs", { inFeatures: config.width, outFeatures: 2, bias: true });
        return headed(stack, 2, (hidden, pass) => head.forward(pass.dropout(hidden, config.spanDropout), pass));
      },
    },
  };
}

/** `stack` followed by a head. */
export function headed(
  stack: Encoder,
  outputs: number,
  head: (hidden: Value, pass: Pass, rows?: Int32Array) => Value,
): Headed {
  return { ...stack, outputs, forward: (pass, rows) => head(stack.forward(pass), pass, rows) };
}

/** Runs `body` on the first row of each sequence: that of its class token, or of a virtual token before it. */
export function onFirstRows(hidden: Value, pass: Pass, body: OfFirstRows): Value {
  const { tape } = pass;
  const firsts = pass.starts.slice(0, -1);
  const rows = gatherRows(hidden, tape.ids(firsts));
  return body(rows, pass.picked(firsts));
}
