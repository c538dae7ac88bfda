/** The processors that settings ask for, in the order of transformers. */
import type { GenerationSettings } from "./generation-config.ts";
import type { LogitsProcessor } from "./processors/logits-processor.ts";
import {
  encoderNoRepeatNgram,
  encoderRepetitionPenalty,
  noRepeatNgram,
  repetitionPenalty,
} from "./processors/repetition.ts";
import { epsilonCutoff, etaCutoff, minP, temperature, topK, topP, typicalP } from "./processors/sampling-filters.ts";
import { logSumExp } from "./processors/softmax.ts";
import { exponentialDecayLengthPenalty, forcedTokens, minLength } from "./processors/text-length.ts";
import { badWords, sequenceBias, suppressTokens, suppressTokensAt } from "./processors/token-bans.ts";

/** What processors know of a text besides the settings. */
export interface TextLimits {
  /** The prompt, or the source of an encoder-decoder. */
  readonly source: readonly number[];
  /** Tokens that stand before the first new one: the prompt's, or the start token. */
  readonly begin: number;
  /** The most tokens to write. */
  readonly room: number;
}

/** What changes the scores of every token; `own` are the caller's. */
export function processorsOf(
  settings: GenerationSettings,
  { source, begin, room }: TextLimits,
  own: readonly LogitsProcessor[],
): LogitsProcessor[] {
  const s = settings;
  const list: (LogitsProcessor | false | null)[] = [
    s.sequenceBias && sequenceBias(s.sequenceBias),
    s.encoderRepetitionPenalty !== 1 && encoderRepetitionPenalty(s.encoderRepetitionPenalty, source),
    s.repetitionPenalty !== 1 && repetitionPenalty(s.repetitionPenalty),
    s.noRepeatNgramSize > 0 && noRepeatNgram(s.noRepeatNgramSize),
    s.encoderNoRepeatNgramSize > 0 && encoderNoRepeatNgram(s.encoderNoRepeatNgramSize, source),
    s.badWordsIds && badWords(s.badWordsIds, s.stops),
    s.minNewTokens === null && s.minLength > 0 && minLength(s.minLength, s.stops),
    (s.minNewTokens ?? 0) > 0 && minLength(begin + s.minNewTokens!, s.stops),
    s.forcedBosTokenId !== null && forcedTokens([s.forcedBosTokenId], 1),
    s.forcedEosTokenId !== null && forcedTokens([s.forcedEosTokenId].flat(), begin + room - 1),
    s.removeInvalidValues && removeInvalidValues,
    s.exponentialDecayLengthPenalty && decay(s.exponentialDecayLengthPenalty, begin, s.stops),
    s.suppressTokens && suppressTokens(s.suppressTokens),
    s.beginSuppressTokens &&
      suppressTokensAt(s.beginSuppressTokens, begin + (begin > 1 || s.forcedBosTokenId === null ? 0 : 1)),
    ...own,
    ...(s.doSample ? samplingFilters(s) : []),
    s.renormalizeLogits && renormalize,
  ];
  return list.filter((each) => each !== false && each !== null);
}

/** What decides which tokens can be drawn. */
export function samplingFilters(
  s: Pick<GenerationSettings, "temperature" | "topK" | "topP" | "minP" | "typicalP" | "epsilonCutoff" | "etaCutoff">,
): LogitsProcessor[] {
  const list: (LogitsProcessor | false)[] = [
    s.temperature !== 1 && temperature(s.temperature),
    s.topK > 0 && topK(s.topK),
    s.topP < 1 && topP(s.topP),
    s.minP !== null && minP(s.minP),
    s.typicalP < 1 && typicalP(s.typicalP),
    s.epsilonCutoff > 0 && s.epsilonCutoff < 1 && epsilonCutoff(s.epsilonCutoff),
    s.etaCutoff > 0 && s.etaCutoff < 1 && etaCutoff(s.etaCutoff),
  ];
  return list.filter((each) => each !== false);
}

function decay([after, factor]: readonly [number, number], begin: number, stops: ReadonlySet<number>): LogitsProcessor {
  return exponentialDecayLengthPenalty(begin + after, factor, stops);
}

const LARGEST = 3.4028234663852886e38;

/** NaN becomes 0, infinities the largest numbers of float32. */
function removeInvalidValues(_: readonly number[], scores: Float32Array): void {
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    scores[id] = Number.isNaN(score) ? 0 : Math.min(LARGEST, Math.max(-LARGEST, score));
  }
}

/** Makes log-probabilities of scores. */
export function renormalize(_: readonly number[], scores: Float32Array): void {
  const total = logSumExp(scores);
  for (let id = 0; id < scores.length; id++) scores[id]! -= total;
}
