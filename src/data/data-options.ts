/** How data files are read: options of `readRows`, and of the commands that read data. */
import { fraction, names, type Options, renames } from "../core/options.ts";

export const dataOptions = {
  /** Keys of rows with the names that the files have for them. */
  columns: renames({ help: "columns by the keys of rows, such as text=body,label=class" }),
} satisfies Options;

/** What becomes of rows before a run. */
export const splitOptions = {
  /** The part of the rows that `splitRows` holds out. */
  validSplit: fraction(0, {
    help: "part of the data to hold out and evaluate on, such as 0.1; a resumed run must have the same",
    alsoSpelled: ["val-split", "validation-split", "val-set-size", "test-size"],
    common: true,
  }),
  /** Classes of the head, in the order of their numbers; by default the model's where it has those of the data, else the data's. */
  labels: names({
    help: "classes of the head in the order of their numbers (default: the model's, if they fit, or the data's)",
  }),
} satisfies Options;
