/**
 * Long short-term memory over rows in order (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), put
 * together from other ops: for the few rows of a prompt. With the gates side by side in torch's order,
 *
 *   [i f g o] = x_t·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh      c = σ(f)∘c + σ(i)∘tanh(g)      h = σ(o)∘tanh(c)
 */
import type { Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";
import { concatenateColumns, sliceColumns } from "./layout/columns.ts";
import { concatenateRows, sliceRows } from "./layout/rows.ts";
import { linear } from "./linear/linear.ts";
import { sigmoid, tanh } from "./pointwise/activation.ts";
import { add } from "./pointwise/add.ts";
import { multiplyElements } from "./pointwise/elementwise.ts";

/** The weights of one direction of one layer. */
export interface LstmWeights {
  readonly inputWeight: Param; // [4·hidden, in]
  readonly hiddenWeight: Param; // [4·hidden, hidden]
  readonly inputBias: Param; // [4·hidden]
  readonly hiddenBias: Param; // [4·hidden]
}

/** x [T, in] → the states h of every row, [T, hidden], from the first row on or from the last. */
export function lstm(x: Value, weights: LstmWeights, { reverse = false }: { reverse?: boolean } = {}): Value {
  const { tape } = x;
  const { inputWeight, hiddenWeight, inputBias, hiddenBias } = weights;
  const hidden = hiddenWeight.shape[1]!;
  const rows = Array.from({ length: x.shape[0]! }, (_, t) => t);
  const states: Value[] = [];
  return tape.scope(() => {
    const fromInput = linear(x, inputWeight, "out-in", inputBias);
    let [h, c] = [zeros(x, hidden), zeros(x, hidden)];
    for (const t of reverse ? rows.toReversed() : rows) {
      const gates = add(
        sliceRows(fromInput, [{ start: t, end: t + 1 }]),
        linear(h, hiddenWeight, "out-in", hiddenBias),
      );
      const gate = (part: number) => sliceColumns(gates, part * hidden, (part + 1) * hidden);
      const kept = multiplyElements(sigmoid(gate(1)), c);
      c = add(kept, multiplyElements(sigmoid(gate(0)), tanh(gate(2))));
      h = multiplyElements(sigmoid(gate(3)), tanh(c));
      states[t] = h;
    }
    return concatenateRows(states);
  });
}

/** Both directions side by side, [T, 2·hidden]. */
export function bidirectionalLstm(x: Value, forward: LstmWeights, backward: LstmWeights): Value {
  return concatenateColumns([lstm(x, forward), lstm(x, backward, { reverse: true })]);
}

function zeros({ tape }: Value, columns: number): Value {
  const row = tape.value([1, columns]);
  tape.fill(row.ptr, columns, 0);
  return row;
}
