/**
 * Hidden rows after the blocks that training does not change: those below the lowest trained tensor, without dropout.
 *
 * A row there has the same bits in every batch because each kernel computes rows, or sequences, independently. There is
 * one exception: products of few rows take a different path than products of many, so the two must not be mixed.
 */
import { FEW_ROWS } from "../../ops/linear/multiply.ts";
import { Tape, type Value } from "../../tape/tape.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Boundary, PassOptions } from "./pass.ts";
import type { LabelledSequences } from "./sequences.ts";

/** What this file needs from a model. */
interface Computing {
  readonly engine: Engine;
  loss(tape: Tape, batch: LabelledSequences, options?: PassOptions): Value;
}

/** The lower blocks of the first stack that a training step computes the same way every time. */
export interface FrozenBlocks {
  readonly depth: number;
  /** Features of their rows. */
  readonly width: number;
  /** The block above them, null where there is none. */
  readonly above: string | null;
  /** Why there are not more: something there is trained, dropout is active there, or no blocks are left. */
  readonly endedBy: "training" | "dropout" | "end";
}

/** Finds them by a dry run of a training step. Null if the model does not run its blocks on the batch unchanged. */
export function frozenBlocks(model: Computing, batch: LabelledSequences): FrozenBlocks | null {
  let found: FrozenBlocks | null = null;
  let ended = false;
  const watch = ({ depth, block: above, x }: Boundary) => {
    if (ended) return;
    const randomly = x.tape.streams > 0;
    ended = x.needsGrad || randomly;
    if (!ended) found = { depth, width: x.shape[1]!, above, endedBy: above === null ? "end" : "training" };
    else if (found === null || !x.needsGrad) {
      const endedBy = x.needsGrad ? "training" : "dropout";
      found = { depth: found?.depth ?? 0, width: x.shape[1]!, above, endedBy };
    }
  };
  Tape.plan(model.engine, { recording: true, training: true }, (tape) => {
    model.loss(tape, batch, { watch });
  });
  return found;
}

/** Whether a batch with at least this many rows takes the path for many rows. */
export const hasManyRows = (rows: number): boolean => rows > FEW_ROWS;

/** The rows of each sequence after this many blocks. The blocks above are not computed. */
export function rowsBehind(model: Computing, batch: LabelledSequences, depth: number): Float32Array[] {
  return Tape.once(model.engine, { training: true }, (tape) => lowerPass(model, tape, batch, depth));
}

/** Bytes of working memory that `rowsBehind` needs. */
export function bytesBehind(model: Computing, batch: LabelledSequences, depth: number): number {
  return Tape.plan(model.engine, { training: true }, (tape) => void lowerPass(model, tape, batch, depth));
}

function lowerPass(model: Computing, tape: Tape, batch: LabelledSequences, depth: number): Float32Array[] {
  const enough = new Error("the rows are already read"); // ends the pass: the blocks above are not needed
  let rows: Float32Array[] = [];
  const watch = (at: Boundary) => {
    if (at.depth !== depth) return;
    const all = tape.download(at.x);
    const width = at.x.shape[1]!;
    rows = Array.from(at.starts.subarray(1), (end, s) => all.slice(at.starts[s]! * width, end * width));
    throw enough;
  };
  try {
    model.loss(tape, batch, { watch });
  } catch (error) {
    if (error !== enough) throw error;
  }
  return rows;
}
