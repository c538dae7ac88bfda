/**
 * How many numbers are trained, in PEFT's words. `digits` is how many follow the point of the percentage; null is all, as older
 * versions of PEFT print them.
 */
export function trainableLine(trainable: number, all: number, digits: number | null = 4): string {
  const share = (100 * trainable) / all;
  const percentage = digits === null ? String(share) : share.toFixed(digits);
  return `trainable params: ${grouped(trainable)} || all params: ${grouped(all)} || trainable%: ${percentage}`;
}

/** "15,776", whatever the locale. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
