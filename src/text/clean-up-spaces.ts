/** What transformers does to a decoded text when `clean_up_tokenization_spaces` is on: blanks before signs go. */
const CLEANED = [
  ...[" .", " ?", " !", " ,"].map((sign) => [sign, sign.slice(1)]),
  [" ' ", "'"],
  ...[" n't", " 'm", " 's", " 've", " 're"].map((sign) => [sign, sign.slice(1)]),
] as const;

export function cleanUpSpaces(text: string): string {
  return CLEANED.reduce((cleaned, [sign, instead]) => cleaned.replaceAll(sign!, instead!), text);
}
