/** How long rows may be: options of encoding rows, and of the commands that read data. */
import { type Options, oneOf, wholeOrNull } from "../core/options.ts";

export const lengthOptions = {
  /** Longer rows are truncated to this many tokens. One token predicts the next, so there must be two. */
  maxLength: wholeOrNull(2, {
    help: "truncate longer rows to this many tokens",
    alsoSpelled: ["max-seq-length", "max-seq-len", "cutoff-len", "sequence-len"],
    common: true,
  }),
  /** The same for the targets of an encoder-decoder; `maxLength` by default. */
  maxTargetLength: wholeOrNull(2, { help: "truncate longer targets of an encoder-decoder (default: --max-length)" }),
  /** What to do about rows of which the limit cuts off all labels. */
  labelsCut: oneOf(["skip", "error"], "skip", {
    help: "rows of which --max-length cuts off all labels: leave them out with a notice, or refuse the file",
  }),
} satisfies Options;
