/** Changes a text before it is split. Rust counterpart: `Normalizer` of `tokenizer/mod.rs`. */
import type { NormalizedString } from "../normalized-string.ts";

export type Normalizer = (normalized: NormalizedString) => void;
