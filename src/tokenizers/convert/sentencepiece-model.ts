/**
 * Reads a model of the sentencepiece library, such as tokenizer.model or spiece.model: a protocol buffer whose fields are
 * declared in sentencepiece_model.proto. Only what a conversion needs is kept.
 */
import { FormatError } from "../../core/errors.ts";

/** Kinds of pieces, by their numbers in the file. */
export const PIECE_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
/** Kinds of models, by their numbers in the file. */
export const MODEL_TYPES = { unigram: 1, bpe: 2, word: 3, char: 4 } as const;

export interface SentencePiece {
  readonly piece: string;
  readonly score: number;
  readonly type: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  readonly modelType: number;
  readonly byteFallback: boolean;
  readonly unkId: number;
  readonly unkPiece: string;
  /** Rules of normalization, compiled; empty when there are none. */
  readonly charsmap: Uint8Array;
}

/** A field as it lies in the file: a number, or bytes (text, bytes, a message, four or eight bytes of a number). */
type Field = { readonly number: number; readonly value: number | Uint8Array };

/** Throws FormatError when `bytes` are no such model; `name` is what messages call the file. */
export function readSentencePieceModel(bytes: Uint8Array, name: string): SentencePieceModel {
  try {
    return readModel(bytes);
  } catch (cause) {
    if (cause instanceof FormatError) throw new FormatError(`${name} is not a sentencepiece model: ${cause.message}`);
    throw new FormatError(`${name} is not a sentencepiece model`, { cause });
  }
}

function readModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  const model = { modelType: MODEL_TYPES.unigram as number, byteFallback: false, unkId: 0, unkPiece: "<unk>" };
  let charsmap = new Uint8Array(0) as Uint8Array;
  for (const { number, value } of fields(bytes)) {
    if (number === 1) pieces.push(readPiece(expectBytes(value)));
    if (number === 2) readTrainerSpec(expectBytes(value), model);
    if (number === 3) {
      for (const spec of fields(expectBytes(value))) if (spec.number === 2) charsmap = expectBytes(spec.value);
    }
  }
  if (pieces.length === 0) throw new FormatError("it has no pieces");
  return { ...model, pieces, charsmap };
}

function readPiece(bytes: Uint8Array): SentencePiece {
  let piece = "";
  let score = 0;
  let type: number = PIECE_TYPES.normal;
  for (const { number, value } of fields(bytes)) {
    if (number === 1) piece = text(value);
    if (number === 2) score = float(value);
    if (number === 3) type = expectNumber(value);
  }
  return { piece, score, type };
}

function readTrainerSpec(
  bytes: Uint8Array,
  model: { modelType: number; byteFallback: boolean; unkId: number; unkPiece: string },
): void {
  for (const { number, value } of fields(bytes)) {
    if (number === 3) model.modelType = expectNumber(value);
    if (number === 35) model.byteFallback = expectNumber(value) !== 0;
    if (number === 40) model.unkId = expectNumber(value);
    if (number === 45) model.unkPiece = text(value);
  }
}

/** The fields of a message, in order. Throws FormatError when it ends inside one. */
function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw new FormatError(`a number ends after byte ${at}`);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value >= 2 ** 63 ? value - 2 ** 64 : value;
    }
  };
  const take = (length: number): Uint8Array => {
    if (length < 0 || at + length > bytes.length) throw new FormatError(`a field ends after byte ${bytes.length}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0) throw new FormatError(`field 0 at byte ${at}`);
    if (wire === 0) yield { number, value: varint() };
    else if (wire === 1) yield { number, value: take(8) };
    else if (wire === 2) yield { number, value: take(varint()) };
    else if (wire === 5) yield { number, value: take(4) };
    else throw new FormatError(`a field of unknown kind ${wire} at byte ${at}`);
  }
}

function expectBytes(value: number | Uint8Array): Uint8Array {
  if (typeof value !== "number") return value;
  throw new FormatError("a number where bytes should be");
}

function expectNumber(value: number | Uint8Array): number {
  if (typeof value === "number") return value;
  throw new FormatError("bytes where a number should be");
}

function text(value: number | Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(expectBytes(value));
}

function float(value: number | Uint8Array): number {
  const bytes = expectBytes(value);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(0, true);
}
