/**
 * Weights that every contestant generates with identical values, so that their losses can be compared.
 * bench/peers/pytorch.py does the same in Python.
 */

/**
 * Fills a matrix with numbers that depend only on its published name and their position: uniform, with a standard
 * deviation of
 * 0.02 as transformers start, and PEFT's down-projections within ±1/√in.
 */
export function fillAgreed(values, name, shape) {
  const bound = name.includes(".lora_A.") ? 1 / Math.sqrt(shape[1]) : 0.02 * Math.sqrt(3);
  const seed = fnv1a(name);
  for (let i = 0; i < values.length; i++) {
    let h = Math.imul(i + seed, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
    h ^= h >>> 13;
    values[i] = ((h >>> 0) / 2 ** 31 - 1) * bound;
  }
  return values;
}

function fnv1a(name) {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
