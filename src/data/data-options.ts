/** How data files are read: options of `readRows`, and of the commands that read data. */

import { bytes, fraction, names, type Options, oneOf, renames, whole } from "../core/options.ts";
import { MAX_PIXELS } from "../image/image-size.ts";

/** As much as fits into the memory of most machines: 1 GB. */
export const MAX_UNPACKED = 1e9;

export const dataOptions = {
  /** Keys of rows with the names that the files have for them. */
  columns: renames({ help: "columns by the keys of rows, such as text=body,label=class" }),
  /** The most bytes that a packed data file (.gz, .parquet) may unpack to. */
  maxUnpackedBytes: bytes(MAX_UNPACKED, "the most bytes that a .gz or .parquet file may unpack to"),
  /** The most pixels that an image may have. */
  maxPixels: whole(
    MAX_PIXELS,
    1,
    "the most pixels that an image may have; larger ones are refused before they are decoded",
  ),
} satisfies Options;

/** What becomes of rows before a run. */
export const splitOptions = {
  /** The part of the rows that `splitRows` holds out. */
  validSplit: fraction(0, {
    help: "part of the data to hold out, such as 0.1; a resumed run must have the same",
    alsoSpelled: ["val-split", "validation-split", "val-set-size", "test-size"],
    common: true,
  }),
  /** What of a text is learned: the answers of prompts and conversations, or all of it. */
  trainOn: oneOf(["answers", "all"], "answers", {
    help: "what rows of a language model teach: the answers to prompts and in conversations, or all of their text",
    insteadOf: {
      "train-on-inputs": "--train-on all learns the prompts too",
      "mask-prompt": "--train-on answers, the default, does not learn the prompt",
      "completion-only-loss": "--train-on answers is the default",
    },
  }),
  /** Classes of the head, in the order of their numbers; by default the model's where it has those of the data, else the data's. */
  labels: names({
    help: "classes of the head in the order of their numbers (default: the model's, if they fit, or the data's)",
  }),
} satisfies Options;
