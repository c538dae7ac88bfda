/**
 * The tasks of an encoder-decoder, shared by all models: a language model, classes of texts, tokens and spans, and the
 * bare encoder. For text classes and spans, the decoder reads the text again.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { gatherRows } from "../../ops/embed/embedding.ts";
import { tanh } from "../../ops/pointwise/activation.ts";
import { scaleBy } from "../../ops/pointwise/elementwise.ts";
import type { Value } from "../../tape/tape.ts";
import type { Bodies, Body, EncoderDecoder, HeadDefinition, Headed } from "../define-model.ts";
import type { Embedding } from "../layers/embedding.ts";
import type { Weights } from "../layers/weights.ts";
import { memoryOf } from "../pass/cross-attention.ts";
import type { Pass } from "../pass/pass.ts";
import { shiftRight } from "../pass/shift-right.ts";
import { perTokenHead } from "./per-token-head.ts";

/** The config values that heads need. */
export interface EncoderDecoderConfig {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly width: number;
  /** The shape of the decoder's cache per token. */
  readonly cache: { readonly layers: number; readonly width: number };
  /** Whether the output projection is the table of tokens: hidden rows are then divided by √width before it. */
  readonly tied: boolean;
  /** Outputs of a classification head: the config's labels. */
  readonly outputs: number;
  readonly classifierDropout: number;
  readonly decoderStartTokenId: number;
  readonly eosTokenId: number;
}

export interface EncoderDecoderFamily<Config> {
  /** The prefix of the published class names, such as "T5". */
  readonly className: string;
  /** Hidden rows of the encoder. */
  encoder(config: Config, w: Weights, tokens: Embedding): EncoderDecoder["encode"];
  decoder(config: Config, w: Weights, tokens: Embedding): Pick<EncoderDecoder, "decode" | "project">;
}

/** The heads of an encoder-decoder architecture, by task. */
export type EncoderDecoderHeads<Config> = {
  readonly [H in "encoderDecoder" | "sequenceLabels" | "tokenLabels" | "answerSpan" | "features"]: HeadDefinition<
    Config,
    Bodies[H]
  >;
};

export function encoderDecoderHeads<Config extends EncoderDecoderConfig>(
  family: EncoderDecoderFamily<Config>,
): EncoderDecoderHeads<Config> {
  const { className } = family;
  const encoder = (config: Config, w: Weights) => family.encoder(config, w, tableOf(config, w));
  return {
    encoderDecoder: {
      architecture: `${className}ForConditionalGeneration`,
      build: (config, w) => languageModel(family, config, w),
    },
    sequenceLabels: {
      architecture: `${className}ForSequenceClassification`,
      build: (config, w) => sequenceClassifier(family, config, w),
    },
    tokenLabels: {
      architecture: `${className}ForTokenClassification`,
      build(config, w) {
        const encode = encoder(config, w.at("transformer"));
        const shape = { inFeatures: config.width, outFeatures: config.outputs, bias: true };
        const head = w.head("classifier", shape);
        const classify = perTokenHead(head, config.classifierDropout);
        const forward = (pass: Pass, rows?: Int32Array) => classify(encode(pass), pass, rows);
        return { ...limits(config), outputs: config.outputs, forward };
      },
    },
    answerSpan: {
      architecture: `${className}ForQuestionAnswering`,
      build: (config, w) => questionAnswerer(family, config, w),
    },
    features: {
      architecture: `${className}EncoderModel`,
      build: (config, w) => ({ ...limits(config), forward: encoder(config, w) }),
    },
  };
}

const limits = ({ vocabSize, contextLength }: EncoderDecoderConfig): Body => ({ vocabSize, contextLength });

/** The table of tokens that both stacks share. */
const tableOf = ({ vocabSize, width }: EncoderDecoderConfig, w: Weights): Embedding =>
  w.embedding("shared", vocabSize, width);

function languageModel<Config extends EncoderDecoderConfig>(
  family: EncoderDecoderFamily<Config>,
  config: Config,
  w: Weights,
): EncoderDecoder {
  const { vocabSize, width, tied, cache, decoderStartTokenId } = config;
  const tokens = tableOf(config, w);
  const encode = family.encoder(config, w, tokens);
  const { decode, project } = family.decoder(config, w, tokens);
  const shape = { inFeatures: width, outFeatures: vocabSize, output: true };
  const head = tied ? w.tiedHead("lm_head", tokens) : w.linear("lm_head", shape);
  return {
    ...limits(config),
    cache,
    decoderStartTokenId,
    encode,
    project,
    decode: (pass, memory) => (tied ? scaleBy(decode(pass, memory), width ** -0.5) : decode(pass, memory)),
    head,
  };
}

/** A class of each text: the head takes the decoder's row at the last end token. */
function sequenceClassifier<Config extends EncoderDecoderConfig>(
  family: EncoderDecoderFamily<Config>,
  config: Config,
  w: Weights,
): Headed {
  const { width, outputs, classifierDropout } = config;
  const reread = rereader(family, config, w.at("transformer"));
  const dense = w.head("classification_head.dense", { inFeatures: width, outFeatures: width, bias: true });
  const out = w.head("classification_head.out_proj", { inFeatures: width, outFeatures: outputs, bias: true });
  return {
    ...limits(config),
    outputs,
    forward(pass) {
      const { decoder, hidden } = reread(pass);
      const { tape } = pass;
      const rows = endRows(decoder, pass, config.eosTokenId);
      const ends = gatherRows(hidden, tape.ids(rows));
      const at = decoder.picked(rows);
      const inner = tanh(dense.forward(at.dropout(ends, classifierDropout), at));
      return out.forward(at.dropout(inner, classifierDropout), at);
    },
  };
}

/** The decoder's row at the last end token of each text. */
function endRows(decoder: Pass, { sequences: { ids, starts } }: Pass, eosTokenId: number): Int32Array {
  return Int32Array.from(starts.subarray(1), (end, s) => {
    const at = ids.subarray(starts[s]!, end).lastIndexOf(eosTokenId);
    if (at >= 0) return decoder.starts[s]! + decoder.promptLength(s) + at;
    throw new FormatError(
      `sequence ${s} has no end token (id ${eosTokenId}), whose position gives the class: end every text with it`,
    );
  });
}

/** Scores of each token as the answer's first and last, from all rows of the decoder. */
function questionAnswerer<Config extends EncoderDecoderConfig>(
  family: EncoderDecoderFamily<Config>,
  config: Config,
  w: Weights,
): Headed {
  const reread = rereader(family, config, w);
  const head = w.head("qa_outputs", { inFeatures: config.width, outFeatures: 2, bias: true });
  return {
    ...limits(config),
    outputs: 2,
    forward(pass) {
      const { decoder, hidden } = reread(pass);
      if (decoder.starts.at(-1) !== pass.starts.at(-1)) {
        throw new UnsupportedError(
          `${family.className}ForQuestionAnswering cannot have virtual tokens in only one stack: choose another method`,
        );
      }
      return head.forward(hidden, decoder);
    },
  };
}

/** Encodes a text and runs the decoder over the same text, shifted by one position. */
function rereader<Config extends EncoderDecoderConfig>(
  family: EncoderDecoderFamily<Config>,
  config: Config,
  w: Weights,
): (pass: Pass) => { decoder: Pass; hidden: Value } {
  const tokens = tableOf(config, w);
  const encode = family.encoder(config, w, tokens);
  const { decode } = family.decoder(config, w, tokens);
  return (encoder) => {
    const { ids, starts, taskIds } = encoder.sequences;
    const shifted = shiftRight(ids, starts, config.decoderStartTokenId);
    const memory = memoryOf(encoder, encode(encoder));
    const decoder = encoder.ofDecoder({ ids: shifted, starts, ...(taskIds && { taskIds }) });
    return { decoder, hidden: decode(decoder, memory) };
  };
}
