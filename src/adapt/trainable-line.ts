/** How counts are printed: plain as in early versions of PEFT, or grouped and rounded as in later ones. */
export type Spelling = "plain" | "grouped";

/** The number of trained parameters, in PEFT's wording. */
export function trainableLine(trainable: number, all: number, spelling: Spelling = "plain"): string {
  const share = (100 * trainable) / all;
  const [count, percentage] = spelling === "plain" ? [String, pythonFloat(share)] : [grouped, share.toFixed(4)];
  return `trainable params: ${count(trainable)} || all params: ${count(all)} || trainable%: ${percentage}`;
}

/** "15,776", independent of the locale. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** As Python prints a float: a whole number has ".0". */
function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
