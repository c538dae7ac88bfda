/**
 * Fills one sliver of COLS lanes, as fill.ts does, from weights in four bits (simd/nf4-read.ts).
 *
 *   across   sliver[p, i] = w[e + p·ld + i]
 *   down     sliver[p, i] = w[e + i·ld + p]      rows are widened one by one into `scratch`, COLS·depth floats
 */
import { absmax, BLOCK, codesLow, codesOf, levels, plane, widen } from "../simd/nf4-read";
import { fill } from "./fill";
import { COLS } from "./tile";

export function fillNf4(
  sliver: usize, w: usize, e: i32, ld: i32, across: bool, lanes: i32, depth: i32, scratch: usize,
): void {
  if (across) {
    if (lanes == COLS && ((e | ld) & 7) == 0) for (let i = 0; i < COLS; i += 8) fillAcross(sliver + (i << 2), w, e + i, ld, depth);
    else fillEdge(sliver, w, e, ld, lanes, depth);
    return;
  }
  const row = <usize>depth << 2;
  for (let i = 0, to = scratch; i < lanes; i++, e += ld, to += row) widen(to, w, e, e + depth);
  fill<f32>(sliver, COLS, scratch, row, false, lanes, depth);
}

/** Eight lanes never span two blocks. */
function fillAcross(sliver: usize, w: usize, e: i32, ld: i32, depth: i32): void {
  const p0 = plane(w, 0), p1 = plane(w, 1), p2 = plane(w, 2), p3 = plane(w, 3);
  const codes = codesOf(w);
  for (const end = sliver + (<usize>depth * COLS << 2); sliver < end; sliver += COLS << 2, e += ld) {
    const c = codesLow(v128.load32_zero(codes + <usize>(e >> 1)));
    const b0 = v128.swizzle(p0, c), b1 = v128.swizzle(p1, c), b2 = v128.swizzle(p2, c), b3 = v128.swizzle(p3, c);
    const scale = f32x4.splat(absmax(w, e / BLOCK));
    v128.store(sliver, f32x4.mul(scale, levels(b0, b1, b2, b3, 0)));
    v128.store(sliver, f32x4.mul(scale, levels(b0, b1, b2, b3, 1)), 16);
  }
}

function fillEdge(sliver: usize, w: usize, e: i32, ld: i32, lanes: i32, depth: i32): void {
  memory.fill(sliver, 0, depth * COLS << 2);
  for (; depth > 0; depth--, sliver += COLS << 2, e += ld) widen(sliver, w, e, e + lanes);
}
