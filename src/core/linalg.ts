/**
 * Matrix factorizations in double precision on the host: for initializing adapters from the base weights, not for
 * training.
 */
import { ShapeError } from "./errors.ts";
import { Philox } from "./random/philox.ts";

/** A dense row-major matrix. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** A = U·diag(s)·V: the columns of u [m, k] and the rows of v [k, n] are orthonormal, and s is in descending order. */
export interface Svd {
  readonly u: Matrix;
  readonly s: Float64Array;
  readonly v: Matrix;
}

/** A matrix of zeros, or of the given numbers row by row. */
export function matrix(
  rows: number,
  columns: number,
  data: ArrayLike<number> = new Float64Array(rows * columns),
): Matrix {
  if (data.length !== rows * columns) throw new ShapeError(`matrix [${rows}, ${columns}]: got ${data.length} numbers`);
  return { rows, columns, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

/** Ones on the diagonal. */
export function identity(size: number): Matrix {
  const out = matrix(size, size);
  for (let i = 0; i < size; i++) out.data[i * size + i] = 1;
  return out;
}

export function transpose({ rows, columns, data }: Matrix): Matrix {
  const out = matrix(columns, rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]!;
  return out;
}

/** a·b. */
export function product(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows)
    throw new ShapeError(`cannot multiply matrices [${a.rows}, ${a.columns}] and [${b.rows}, ${b.columns}]`);
  const out = matrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    const row = out.data.subarray(i * b.columns, (i + 1) * b.columns);
    for (let p = 0; p < a.columns; p++) axpy(row, a.data[i * a.columns + p]!, b.data, p * b.columns);
  }
  return out;
}

/** The first `count` columns. */
export function firstColumns({ rows, columns, data }: Matrix, count: number): Matrix {
  const out = matrix(rows, count);
  for (let i = 0; i < rows; i++) out.data.set(data.subarray(i * columns, i * columns + count), i * count);
  return out;
}

/** The first `count` rows. */
export function firstRows({ columns, data }: Matrix, count: number): Matrix {
  return matrix(count, columns, data.slice(0, count * columns));
}

/**
 * The first `count` columns of Q and rows of R in A = Q·R, by Householder reflections with LAPACK's signs (so the diagonal
 * of R may be negative). `count` is at most min(m, n); R's rows span all n columns of A.
 */
export function qr(a: Matrix, count = Math.min(a.rows, a.columns)): { q: Matrix; r: Matrix } {
  const { rows: m } = a;
  const panel = transpose(firstColumns(a, count)); // rows of `panel` are columns of A
  const reflectors: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const column = panel.data.subarray(k * m, (k + 1) * m);
    for (let i = 0; i < k; i++) reflect(reflectors[i]!, column, i);
    reflectors.push(reflector(column, k));
  }
  const q = matrix(count, m); // transposed
  for (let k = 0; k < count; k++) {
    const column = q.data.subarray(k * m, (k + 1) * m);
    column[k] = 1;
    for (let i = count - 1; i >= 0; i--) reflect(reflectors[i]!, column, i);
  }
  const r = product(q, a);
  for (let i = 0; i < count; i++) r.data.fill(0, i * a.columns, i * a.columns + i); // below the diagonal: rounding only
  return { q: transpose(q), r };
}

/** v with v[i] = 0 for i < k, such that reflecting x across it leaves ∓‖x[k..]‖ in x[k] and zeros below. */
function reflector(x: Float64Array, k: number): Float64Array {
  const v = x.slice();
  v.fill(0, 0, k);
  const length = norm(v);
  v[k]! += v[k]! < 0 ? -length : length;
  scale(v, 1 / (norm(v) || 1));
  return v;
}

/** x −= 2·(v·x)·v, where v is zero before `from`. */
function reflect(v: Float64Array, x: Float64Array, from: number): void {
  let dot = 0;
  for (let i = from; i < v.length; i++) dot += v[i]! * x[i]!;
  for (let i = from; i < v.length; i++) x[i]! -= 2 * dot * v[i]!;
}

/** Sweeps after which Jacobi has long converged: convergence is quadratic, and six to ten sweeps are usual. */
const MAX_SWEEPS = 60;
/** Columns are treated as orthogonal when their cosine is below this. */
const ORTHOGONAL = 1e-15;

/** All singular values and vectors by one-sided Jacobi rotations (Hestenes 1958): for small matrices, to full precision. */
export function svd(a: Matrix): Svd {
  if (a.rows < a.columns) {
    const { u, s, v } = svd(transpose(a));
    return { u: transpose(v), s, v: transpose(u) };
  }
  const { rows: m, columns: n } = a;
  const work = transpose(a); // rows become U·diag(s)
  const turns = identity(n); // rows become V
  for (let sweep = 0; sweep < MAX_SWEEPS && orthogonalise(work, turns); sweep++);
  return sorted(work, turns, m, n);
}

/**
 * One sweep over all pairs of rows of `work`; the same rotations are applied to `turns`. Returns true if anything was
 * rotated.
 */
function orthogonalise(work: Matrix, turns: Matrix): boolean {
  let rotated = false;
  for (let p = 0; p + 1 < work.rows; p++) {
    for (let q = p + 1; q < work.rows; q++) {
      const [x, y] = [rowOf(work, p), rowOf(work, q)];
      const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
      if (Math.abs(xy) <= ORTHOGONAL * Math.sqrt(xx * yy)) continue;
      rotated = true;
      const zeta = (yy - xx) / (2 * xy);
      const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
      const c = 1 / Math.hypot(1, t);
      rotate(x, y, c, c * t);
      rotate(rowOf(turns, p), rowOf(turns, q), c, c * t);
    }
  }
  return rotated;
}

/** Rotates the pair (x, y): x becomes c·x − s·y, y becomes s·x + c·y. */
export function rotate(x: Float64Array, y: Float64Array, c: number, s: number): void {
  for (let i = 0; i < x.length; i++) {
    const [xi, yi] = [x[i]!, y[i]!];
    x[i] = c * xi - s * yi;
    y[i] = s * xi + c * yi;
  }
}

function sorted(work: Matrix, turns: Matrix, m: number, n: number): Svd {
  const lengths = Array.from({ length: n }, (_, i) => norm(rowOf(work, i)));
  const order = lengths.map((_, i) => i).sort((i, j) => lengths[j]! - lengths[i]!);
  const u = matrix(n, m);
  const v = matrix(n, n);
  order.forEach((from, to) => {
    u.data.set(rowOf(work, from), to * m);
    v.data.set(rowOf(turns, from), to * n);
    if (lengths[from]! > 0) scale(rowOf(u, to), 1 / lengths[from]!);
  });
  return { u: transpose(u), s: Float64Array.from(order, (i) => lengths[i]!), v };
}

/**
 * Approximately the `count` largest singular values with their vectors, from `iterations` power iterations on as many random
 * vectors (Halko, Martinsson and Tropp 2011, algorithm 4.4).
 */
export function randomSvd(a: Matrix, count: number, iterations: number, seed: number): Svd {
  const random = new Philox(seed);
  const start = matrix(
    a.columns,
    count,
    Float64Array.from({ length: a.columns * count }, () => random.normal()),
  );
  const at = transpose(a);
  let { q } = qr(product(a, start));
  for (let i = 0; i < iterations; i++) q = qr(product(a, qr(product(at, q)).q)).q;
  const { u, s, v } = svd(product(transpose(q), a));
  return { u: product(q, u), s, v };
}

/** A view of one row. */
export function rowOf({ columns, data }: Matrix, row: number): Float64Array {
  return data.subarray(row * columns, (row + 1) * columns);
}
/** y += alpha·x[from ..]. */
export function axpy(y: Float64Array, alpha: number, x: Float64Array, from: number): void {
  for (let i = 0; i < y.length; i++) y[i]! += alpha * x[from + i]!;
}
/** Σ x·y. */
export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}
/** √(Σ x²). */
export function norm(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}
/** x *= alpha. */
export function scale(x: Float64Array, alpha: number): void {
  for (let i = 0; i < x.length; i++) x[i]! *= alpha;
}
