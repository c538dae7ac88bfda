/**
 * The largest singular values of a matrix with their vectors, in double precision on the host, without computing the
 * others.
 */
import { FormatError, ShapeError, UnsupportedError } from "./errors.ts";
import {
  axpy,
  dot,
  firstColumns,
  firstRows,
  identity,
  type Matrix,
  matrix,
  norm,
  product,
  qr,
  rotate,
  rowOf,
  type Svd,
  scale,
  svd,
  transpose,
} from "./linalg.ts";
import { Philox } from "./random/philox.ts";

/** Below this size all singular values are computed; above it, only the requested ones. */
const SMALL = 128;
/** A singular vector has converged when it is off by at most this, relative to the largest singular value. */
const CONVERGED = 1e-11;

/** The `count` largest singular values with their vectors. */
export function largestSvd(a: Matrix, count: number): Svd {
  const most = Math.min(a.rows, a.columns);
  if (count > most)
    throw new ShapeError(`a matrix [${a.rows}, ${a.columns}] has ${most} singular values, ${count} were requested`);
  return leadingSvd(a, () => count, count);
}

/**
 * The fewest largest singular values, with their vectors, that hold a share of the total energy Σ s²: `share` is from 0
 * to 1. Sums are compared in float32, so that a share of 1 requests everything that float32 numbers can represent, but
 * not their rounding errors.
 */
export function svdOfEnergy(a: Matrix, share: number): Svd {
  const wanted = Math.fround(share * dot(a.data, a.data));
  return leadingSvd(a, (s) => {
    let [count, energy] = [0, 0];
    do energy += s[count]! ** 2;
    while (++count < s.length && Math.fround(energy) < wanted);
    return count;
  });
}

/**
 * The largest singular values with their vectors, as many as `count` returns for the values known so far, by
 * Golub-Kahan-Lanczos bidiagonalization with full reorthogonalization (Golub and Kahan 1965): two products with A per
 * step, until the residuals of the requested values vanish.
 */
function leadingSvd(a: Matrix, count: (s: Float64Array) => number, atLeast = 1): Svd {
  if (a.rows < a.columns) {
    const { u, s, v } = leadingSvd(transpose(a), count, atLeast);
    return { u: transpose(v), s, v: transpose(u) };
  }
  if (!Number.isFinite(norm(a.data)))
    throw new FormatError("cannot compute singular values: the matrix contains a number that is not finite");
  if (a.columns <= SMALL) {
    const all = svd(a);
    return truncated(all, count(all.s));
  }
  const chain = new Lanczos(a);
  const most = a.columns; // this many steps find all of them
  let size = Math.min(most, 2 * atLeast + 20);
  while (true) {
    while (chain.length < size) chain.step();
    const { s, residuals } = chain.ritz();
    const wanted = count(s);
    if (size === most || (wanted < size && Math.max(...residuals.subarray(0, wanted)) <= CONVERGED * s[0]!)) {
      const { u, s, v } = truncated(bidiagonalSvd(chain.alphas, chain.betas), wanted);
      return { u: product(transpose(chain.lefts()), u), s, v: product(v, chain.rights()) };
    }
    size = Math.min(most, Math.ceil(size * 1.2));
  }
}

/** The `count` largest singular values of l·r with their vectors; cheap if l has few columns. */
export function largestSvdOfProduct(l: Matrix, r: Matrix, count: number): Svd {
  if (l.columns >= Math.min(l.rows, r.columns)) return largestSvd(product(l, r), count);
  const [left, right] = [qr(l), qr(transpose(r))];
  const { u, s, v } = largestSvd(product(left.r, transpose(right.r)), count);
  return { u: product(left.q, u), s, v: product(v, transpose(right.q)) };
}

/** The singular values and vectors of a square upper bidiagonal matrix. */
function bidiagonalSvd(diagonal: readonly number[], above: readonly number[]): Svd {
  const [left, right] = [identity(diagonal.length), identity(diagonal.length)];
  const s = diagonalise(diagonal, above, left, right);
  return { u: transpose(left), s, v: right };
}

/** More sweeps than any diagonal needs: two per element are usual. */
const SWEEPS_PER_VALUE = 40;

/**
 * The singular values s of the upper bidiagonal matrix B, falling, by QR sweeps with implicit shifts (Golub and Reinsch
 * 1970). Where B = U·diag(s)·V, `left` becomes Uᵀ·left and `right` becomes V·right.
 */
function diagonalise(diagonal: readonly number[], above: readonly number[], left: Matrix, right: Matrix): Float64Array {
  const [d, e] = [Float64Array.from(diagonal), Float64Array.from(above)];
  const negligible = Number.EPSILON * Math.sqrt(dot(d, d) + dot(e, e));
  let end = d.length - 1;
  for (let sweeps = 0; end > 0; sweeps++) {
    if (!(sweeps < SWEEPS_PER_VALUE * d.length)) throw new UnsupportedError("the singular values do not converge");
    while (end > 0 && Math.abs(e[end - 1]!) <= negligible) end--;
    if (end === 0) break;
    let start = end - 1;
    while (start > 0 && Math.abs(e[start - 1]!) > negligible) start--;
    sweep(d, e, { start, end, negligible }, left, right);
  }
  return sortRows(d, left, right);
}

/**
 * One sweep down the part of B from `start` to `end`: its last off-diagonal element shrinks, cubically near the end.
 */
function sweep(
  d: Float64Array,
  e: Float64Array,
  { start, end, negligible }: { start: number; end: number; negligible: number },
  left: Matrix,
  right: Matrix,
): void {
  let [f, g] = [d[start]!, e[start]!];
  const singular = d.subarray(start, end + 1).some((value) => Math.abs(value) <= negligible);
  if (!singular) {
    const shift = smallerSingularValue(d[end - 1]!, e[end - 1]!, d[end]!);
    f = ((Math.abs(f) - shift) * (Math.abs(f) + shift)) / f; // (f² - shift²) / f
  }
  for (let i = start; i < end; i++) {
    const turnRight = rotation(f, g);
    if (i > start) e[i - 1] = turnRight.r;
    f = turnRight.c * d[i]! + turnRight.s * e[i]!;
    e[i] = turnRight.c * e[i]! - turnRight.s * d[i]!;
    g = turnRight.s * d[i + 1]!;
    d[i + 1]! *= turnRight.c;
    rotate(rowOf(right, i), rowOf(right, i + 1), turnRight.c, -turnRight.s);
    const turnLeft = rotation(f, g);
    d[i] = turnLeft.r;
    f = turnLeft.c * e[i]! + turnLeft.s * d[i + 1]!;
    d[i + 1] = turnLeft.c * d[i + 1]! - turnLeft.s * e[i]!;
    if (i + 1 < end) {
      g = turnLeft.s * e[i + 1]!;
      e[i + 1]! *= turnLeft.c;
    }
    rotate(rowOf(left, i), rowOf(left, i + 1), turnLeft.c, -turnLeft.s);
  }
  e[end - 1] = f;
}

/** The rotation that takes (f, g) to (r, 0). */
function rotation(f: number, g: number): { c: number; s: number; r: number } {
  const r = Math.sqrt(f * f + g * g);
  return r === 0 ? { c: 1, s: 0, r: 0 } : { c: f / r, s: g / r, r };
}

/** Of [[f, g], [0, h]]. */
function smallerSingularValue(f: number, g: number, h: number): number {
  return (2 * Math.abs(f * h)) / (Math.hypot(f + h, g) + Math.hypot(f - h, g) || 1);
}

/**
 * The magnitudes of the values in descending order, with the rows of both matrices in the same order; signs move to
 * `right`.
 */
function sortRows(values: Float64Array, left: Matrix, right: Matrix): Float64Array {
  const order = [...values.keys()].sort((i, j) => Math.abs(values[j]!) - Math.abs(values[i]!));
  for (const [i, value] of values.entries()) if (value < 0) scale(rowOf(right, i), -1);
  for (const rows of [left, right]) {
    const before = { ...rows, data: rows.data.slice() };
    for (const [to, from] of order.entries()) rowOf(rows, to).set(rowOf(before, from));
  }
  return Float64Array.from(order, (i) => Math.abs(values[i]!));
}

/** Orthonormal chains p (in the space of A's columns) and q (of its rows) with A·q = p·B, B upper bidiagonal. */
class Lanczos {
  readonly #a: Matrix;
  readonly #random = new Philox(0);
  readonly #lefts: Float64Array[] = [];
  readonly #rights: Float64Array[] = [];
  /** The diagonal of B, and its superdiagonal. */
  readonly alphas: number[] = [];
  readonly betas: number[] = [];
  #next: Float64Array;
  /** Norm of the last step's residual: zero when the chain has found an invariant subspace. */
  beta = 0;

  constructor(a: Matrix) {
    this.#a = a;
    this.#next = this.#fresh(a.columns, []);
  }
  get length(): number {
    return this.alphas.length;
  }

  step(): void {
    const right = this.#next;
    const left = timesVector(this.#a, right);
    orthogonaliseAgainst(left, this.#lefts);
    const alpha = this.#normalised(left, this.#lefts);
    if (this.length > 0) this.betas.push(this.beta);
    this.alphas.push(alpha);
    this.#lefts.push(left);
    this.#rights.push(right);
    const next = vectorTimes(left, this.#a);
    orthogonaliseAgainst(next, this.#rights);
    this.beta = this.#normalised(next, this.#rights);
    this.#next = next;
  }

  /** The singular values of B in descending order, and how far each is from being one of A's. */
  ritz(): { s: Float64Array; residuals: Float64Array } {
    const last = matrix(this.length, 1);
    last.data[this.length - 1] = 1;
    const s = diagonalise(this.alphas, this.betas, last, matrix(this.length, 0));
    return { s, residuals: last.data.map((x) => Math.abs(this.beta * x)) };
  }
  /** The vectors of each chain, one per row. */
  lefts(): Matrix {
    return stacked(this.#lefts);
  }
  rights(): Matrix {
    return stacked(this.#rights);
  }

  /** Normalizes x and returns its previous norm; replaces a vanished vector with a new direction. */
  #normalised(x: Float64Array, others: readonly Float64Array[]): number {
    const length = norm(x);
    if (length > Number.EPSILON * (this.alphas[0] ?? length)) {
      scale(x, 1 / length);
      return length;
    }
    if (others.length < x.length) x.set(this.#fresh(x.length, others));
    return 0;
  }
  #fresh(size: number, others: readonly Float64Array[]): Float64Array {
    const x = Float64Array.from({ length: size }, () => this.#random.normal());
    orthogonaliseAgainst(x, others);
    scale(x, 1 / norm(x));
    return x;
  }
}

/** Removes the components of x along `others` (orthonormal). Two passes are enough (Giraud et al. 2005). */
function orthogonaliseAgainst(x: Float64Array, others: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++) for (const other of others) axpy(x, -dot(x, other), other, 0);
}

function truncated({ u, s, v }: Svd, count: number): Svd {
  return { u: firstColumns(u, count), s: s.slice(0, count), v: firstRows(v, count) };
}

function stacked(vectors: readonly Float64Array[]): Matrix {
  const out = matrix(vectors.length, vectors[0]!.length);
  for (const [i, vector] of vectors.entries()) out.data.set(vector, i * vector.length);
  return out;
}

/** A·x. */
function timesVector(a: Matrix, x: Float64Array): Float64Array {
  return Float64Array.from({ length: a.rows }, (_, i) => dot(rowOf(a, i), x));
}
/** xᵀ·A. */
function vectorTimes(x: Float64Array, a: Matrix): Float64Array {
  const y = new Float64Array(a.columns);
  for (let i = 0; i < a.rows; i++) axpy(y, x[i]!, a.data, i * a.columns);
  return y;
}
