/**
 * Long matrices: `npm test` runs a part of each, `npm run matrix` all of it.
 */
export const inFull: boolean = process.env.LORIKEET_MATRIX === "full";
if (!inFull) console.warn("SKIPPED: a part of a long matrix (npm run matrix)");

/** All cases, or one of each kind. */
export function sampled<T>(cases: readonly T[], kinds: readonly T[]): readonly T[] {
  const unknown = kinds.find((kind) => !cases.includes(kind));
  if (unknown !== undefined) throw new Error(`the matrix has no case ${String(unknown)}`);
  return inFull ? cases : kinds;
}
