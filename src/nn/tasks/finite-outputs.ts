import { StateError } from "../../core/errors.ts";
import { firstNonFinite } from "../../core/non-finite.ts";
import type { Tape, Tensor, Value } from "../../tape/tape.ts";

/**
 * Outputs on the host. Throws StateError, which names `what` and the row, where one is NaN or infinite: `tape.download` has
 * them all the same.
 */
export function finiteOutputs(tape: Tape, outputs: Value, what: string): Tensor {
  const read = tape.read(outputs);
  const values = read.data;
  if (tape.planning) return read;
  const at = firstNonFinite("F32", new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  if (at < 0) return read;
  const row = Math.floor(at / (outputs.shape.at(-1) ?? 1));
  throw new StateError(
    `${what}: row ${row} of the outputs has ${values[at]}, expected finite numbers: weights, adapter or inputs are broken, or too large`,
  );
}
