/**
 * Frequencies of rotary positions (Su et al. 2021) and the published ways of stretching them, by the `rope_scaling` of a
 * config. The arithmetic is in float32 where transformers' is.
 */
import { UnsupportedError } from "../../core/errors.ts";
import type { ConfigReader } from "../config.ts";

/** How fast each pair of a rotary head turns, and how far positions may go. */
export interface RotaryFrequencies {
  /** Inverse frequency of each pair [dim / 2], for a batch whose longest sequence has `length` positions. */
  at(length: number): Float32Array;
  /** Factor of cos and sin. */
  readonly scale: number;
  /** Longest sequence that the config is meant for. */
  readonly contextLength: number;
  /** Frequencies are the same for all batches whose sequences are at most so long. */
  readonly steadyLength: number;
}

const { fround } = Math;

/** Far above the width of any published head: the table of frequencies is made before any weight. */
const MOST_DIM = 65_536;

/** What all scalings start from. */
interface Plain {
  readonly dim: number;
  readonly base: number;
  /** `max_position_embeddings` */
  readonly positions: number;
  /** base^(2i/dim): how many positions make one radian. */
  readonly periods: Float32Array;
  /** Their inverses. */
  readonly frequencies: Float32Array;
}

type Scaling = (scaling: ConfigReader, plain: Plain, config: ConfigReader) => RotaryFrequencies;

/** By the published name of the type. */
const scalings: Readonly<Record<string, Scaling>> = { default: unscaled, linear, dynamic, yarn, longrope, llama3 };

/** The rotations that a config asks for. `dim` is the width of a head, `positions` the config's `max_position_embeddings`. */
export function rotaryFrequencies(config: ConfigReader, dim: number, positions: number): RotaryFrequencies {
  const scaling = config.object("rope_scaling") ?? config.object("rope_parameters");
  const theta = scaling?.has("rope_theta") ? scaling : config;
  const base = theta.positive("rope_theta", 10000);
  if (dim % 2 !== 0) throw config.wrong("head_dim", dim, "an even number, since rotary positions turn pairs");
  if (dim > MOST_DIM) throw config.wrong("head_dim", dim, `at most ${MOST_DIM}`);
  const periods = periodsOf(base, dim);
  const plain = { dim, base, positions, periods, frequencies: inverse(periods) };
  if (scaling === null) return constant(plain.frequencies, positions);
  const type = typeOf(scaling);
  const found = Object.hasOwn(scalings, type) ? scalings[type]! : null;
  if (found) return found(scaling, plain, config);
  throw new UnsupportedError(
    `${config.name}: "rope_scaling" has type "${type}", this version knows ${Object.keys(scalings).join(", ")}`,
  );
}

/** "type" is the older name of "rope_type". */
function typeOf(scaling: ConfigReader): string {
  const older = scaling.string("type", "default");
  const type = scaling.string("rope_type", older);
  if (scaling.has("type") && type !== older) throw scaling.wrong("type", older, `the same as "rope_type" ("${type}")`);
  return type;
}

function periodsOf(base: number, dim: number): Float32Array {
  return Float32Array.from({ length: dim / 2 }, (_, i) => base ** fround((2 * i) / dim));
}

const inverse = (periods: Float32Array): Float32Array => periods.map((p) => 1 / p);

function constant(frequencies: Float32Array, contextLength: number, scale = 1): RotaryFrequencies {
  return { at: () => frequencies, scale, contextLength, steadyLength: Number.POSITIVE_INFINITY };
}

function unscaled(_: ConfigReader, { frequencies, positions }: Plain): RotaryFrequencies {
  return constant(frequencies, positions);
}

function linear(scaling: ConfigReader, { frequencies, positions }: Plain): RotaryFrequencies {
  const factor = scaling.positive("factor");
  return constant(
    frequencies.map((f) => f / factor),
    positions,
  );
}

/** Beyond the trained positions the base grows with the length of the batch (NTK-aware scaling). */
function dynamic(scaling: ConfigReader, { dim, base, positions, frequencies }: Plain): RotaryFrequencies {
  const factor = atLeastOne(scaling, "factor");
  if (dim === 2) throw scaling.wrong("rope_type", "dynamic", "another type for heads of width 2");
  const grown = (length: number) => {
    const stretch = fround(fround(fround(factor * length) / positions) - (factor - 1));
    return inverse(periodsOf(fround(base * fround(stretch ** (dim / (dim - 2)))), dim));
  };
  let last = { length: 0, frequencies };
  return {
    at(length) {
      if (length <= positions) return frequencies;
      if (length !== last.length) last = { length, frequencies: grown(length) };
      return last.frequencies;
    },
    scale: 1,
    contextLength: Math.floor(factor * positions),
    steadyLength: positions,
  };
}

/** Llama 3.1: long wavelengths are slowed by `factor`, short ones kept, those between blended. */
function llama3(scaling: ConfigReader, { frequencies, positions }: Plain): RotaryFrequencies {
  const factor = scaling.positive("factor");
  const low = scaling.positive("low_freq_factor");
  const high = scaling.positive("high_freq_factor");
  const original = scaling.count("original_max_position_embeddings");
  if (!(high > low)) throw scaling.wrong("high_freq_factor", high, `a number above "low_freq_factor" (${low})`);
  const slowed = frequencies.map((f) => {
    const wavelength = (2 * Math.PI) / f;
    if (wavelength < original / high) return f;
    if (wavelength > original / low) return f / factor;
    const smooth = (original / wavelength - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
  return constant(slowed, positions);
}

/** YaRN (Peng et al. 2023): pairs that turn often keep their frequency, those that turn rarely are slowed by `factor`. */
function yarn(scaling: ConfigReader, plain: Plain): RotaryFrequencies {
  const { dim, base, positions, periods } = plain;
  const factor = scaling.positive("factor");
  const original = scaling.optionalCount("original_max_position_embeddings") ?? positions;
  const pairAt = (turns: number) => (dim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const truncate = scaling.bool("truncate", true);
  const low = pairAt(orElse(scaling, "beta_fast", 32));
  const high = pairAt(orElse(scaling, "beta_slow", 1));
  const first = Math.max(truncate ? Math.floor(low) : low, 0);
  const last = Math.min(truncate ? Math.ceil(high) : high, dim - 1);
  const span = first === last ? 0.001 : last - first;
  const blended = periods.map((p, i) => {
    const slowed = Math.min(Math.max((i - first) / span, 0), 1);
    return slowed / fround(factor * p) + (1 - slowed) / p;
  });
  const contextLength = Math.max(positions, Math.floor(factor * original));
  return constant(blended, contextLength, yarnScale(scaling, factor));
}

/** Given, or from `mscale` and `mscale_all_dim`, or from `factor` alone. */
function yarnScale(scaling: ConfigReader, factor: number): number {
  if (scaling.has("attention_factor")) return scaling.positive("attention_factor");
  const grown = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const [above, below] = [scaling.float("mscale", 0), scaling.float("mscale_all_dim", 0)];
  return above !== 0 && below !== 0 ? grown(above) / grown(below) : grown(1);
}

/** LongRoPE (Ding et al. 2024): a divisor for each pair, by whether the batch is longer than the first training was. */
function longrope(scaling: ConfigReader, plain: Plain, config: ConfigReader): RotaryFrequencies {
  const { dim, positions, periods } = plain;
  const [short, long] = ["short_factor", "long_factor"].map((key) => {
    const factors = factorsOf(scaling, key, dim / 2);
    return periods.map((p, i) => 1 / fround(fround(factors[i]!) * p));
  }) as [Float32Array, Float32Array];
  const published = config.optionalCount("original_max_position_embeddings");
  const original = published ?? positions;
  const given = scaling.has("attention_factor") ? scaling.positive("attention_factor") : null;
  const scale = (factor: number) => (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)));
  return {
    at: (length) => (length > original ? long : short),
    scale: given ?? scale(published ? positions / published : scaling.positive("factor")),
    contextLength: Math.max(positions, Math.floor(orElse(scaling, "factor", 1) * original)),
    steadyLength: original,
  };
}

function factorsOf(scaling: ConfigReader, key: string, count: number): readonly number[] {
  const list = scaling.list(key) ?? [];
  if (list.length === count && list.every((each) => Number.isFinite(each) && (each as number) > 0))
    return list as number[];
  throw scaling.wrong(key, scaling.raw[key] ?? null, `a list of ${count} numbers above 0, one for each pair of a head`);
}

function atLeastOne(scaling: ConfigReader, key: string): number {
  const value = scaling.float(key);
  if (value >= 1) return value;
  throw scaling.wrong(key, value, "a number of at least 1");
}

/** As in Python's `or`, null and 0 mean what stands in their place. */
function orElse(scaling: ConfigReader, key: string, missing: number): number {
  return scaling.raw[key] === 0 ? missing : scaling.positive(key, missing);
}
