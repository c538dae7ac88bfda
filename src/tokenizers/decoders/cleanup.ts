/** Blanks before signs go, as in English text. Rust counterpart: `cleanup` of `decoders/wordpiece.rs`. */
const REPLACED = [
  ...[" .", " ?", " !", " ,"].map((sign) => [sign, sign.slice(1)]),
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  ...[" 's", " 've", " 're"].map((sign) => [sign, sign.slice(1)]),
] as const;

export function cleanUp(text: string): string {
  return REPLACED.reduce((cleaned, [sign, instead]) => cleaned.replaceAll(sign!, instead!), text);
}
