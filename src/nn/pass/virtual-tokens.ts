/**
 * What prompt methods add before the tokens of a sequence: rows of the embedding, or keys and values of every layer.
 */
import type { Tape, Value } from "../../tape/tape.ts";

/** The stack of a model; most models have only one. */
export type Stack = "encoder" | "decoder";

/** Virtual keys and values of one layer, [n, kvHeads · headDim] each, without rotation. */
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

/** What a prompt method adds before every sequence. Written in src/methods/, set on the model by src/adapt/. */
export interface VirtualTokens {
  /** The number of rows before the embedded tokens of a stack. */
  promptLength(stack: Stack): number;
  /** The number of keys and values before those of each layer of a stack. */
  prefixLength(stack: Stack): number;
  /** Computes the rows, once per pass. Only called for a stack that has some. */
  begin(tape: Tape, stack: Stack): VirtualRows;
}
