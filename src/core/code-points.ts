/**
 * Orders text by Unicode code points, as Python and Rust do; JavaScript's `<` compares UTF-16 units, which puts
 * U+10000 and above before U+E000. Negative when a comes first, positive when b does, 0 when they are equal.
 */
export function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

/** Surrogates (U+D800 to U+DFFF) encode code points above every single unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
