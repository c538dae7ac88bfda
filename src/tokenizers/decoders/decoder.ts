/** Turns tokens into pieces of text, which are joined. Rust counterpart: `Decoder` of `tokenizer/mod.rs`. */
export type PieceDecoder = (tokens: string[]) => string[];
