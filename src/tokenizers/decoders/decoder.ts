/** Turns tokens into pieces of text, which are joined. Rust counterpart: `Decoder` of `tokenizer/mod.rs`. */
export type Decoder = (tokens: string[]) => string[];
