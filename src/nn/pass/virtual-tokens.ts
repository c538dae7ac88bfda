/** What prompt methods put before the tokens of a sequence: rows of the embedding, or keys and values of every layer. */
import type { Tape, Value } from "../../tape/tape.ts";

/** Which stack of a model: a model of one stack has only its own. */
export type Stack = "encoder" | "decoder";

/** Virtual keys and values of one layer, [n, kvHeads · headDim] each, as attention takes them: without rotation. */
export interface KeyValueRows {
  readonly k: Value;
  readonly v: Value;
}

/** The virtual tokens of one pass, recorded on its tape. */
export interface VirtualRows {
  /** Rows [n, D] before the embedded tokens of a sequence, or null. */
  prompt(taskId: number): Value | null;
  /** Rows before the keys and values of a layer's self-attention, or null. */
  prefix(layer: number): KeyValueRows | null;
}

/** What a prompt method puts before every sequence. Written in src/methods/, set on the model by src/adapt/. */
export interface VirtualTokens {
  /** How many rows stand before the embedded tokens of a stack. */
  promptLength(stack: Stack): number;
  /** How many keys and values stand before those of each layer of a stack. */
  prefixLength(stack: Stack): number;
  /** Computes the rows, once for a pass. Only asked for a stack that has some. */
  begin(tape: Tape, stack: Stack): VirtualRows;
}
