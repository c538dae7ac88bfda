import { gatherRows } from "../../ops/embed/embedding.ts";
import type { Value } from "../../tape/tape.ts";
import type { Linear } from "../layers/linear.ts";
import type { Pass, PassRows } from "../pass/pass.ts";

/** A token classifier's head after its dropout: logits of all hidden rows, or of the requested ones. */
export function perTokenHead(head: Linear, dropout: number): (hidden: Value, pass: Pass, rows?: Int32Array) => Value {
  const classify = (x: Value, at: PassRows) => head.forward(at.dropout(x, dropout), at);
  return (hidden, pass, rows) => {
    if (!rows) return classify(hidden, pass);
    const { tape } = pass;
    const picked = gatherRows(hidden, tape.ids(rows));
    return classify(picked, pass.picked(rows));
  };
}
