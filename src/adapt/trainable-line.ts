/** How counts are printed: plain as PEFT did first, or grouped and rounded as later versions do. */
export type Spelling = "plain" | "grouped";

/** How many numbers are trained, in PEFT's words. */
export function trainableLine(trainable: number, all: number, spelling: Spelling = "plain"): string {
  const share = (100 * trainable) / all;
  const [count, percentage] = spelling === "plain" ? [String, pythonFloat(share)] : [grouped, share.toFixed(4)];
  return `trainable params: ${count(trainable)} || all params: ${count(all)} || trainable%: ${percentage}`;
}

/** "15,776", whatever the locale. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** As Python prints a float: a whole number has ".0". */
function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
