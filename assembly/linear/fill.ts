/**
 * Fills one sliver, the packed operand of `tile`: depth × width floats, `width` lanes for each p, from a matrix of dtype T
 * and either orientation. This is where a stored weight is widened or transposed, one cache-sized piece at a time.
 *
 *   across   lanes lie side by side in memory:   sliver[p, i] = src[p·row + i]
 *   down     lanes are rows of the matrix:       sliver[p, i] = src[i·row + p]
 *
 * `row` is a step in bytes. A whole sliver has 5 to 8 lanes, which two overlapping groups of four cover, or 16, filled in two halves.
 * A sliver at the matrix's edge has fewer `lanes` than its width and gets zeros for the rest.
 */
import { load1, load4 } from "../simd/half";

// @ts-ignore: decorator
@inline
export function fill<T>(sliver: usize, width: i32, src: usize, row: usize, across: bool, lanes: i32, depth: i32): void {
  if (lanes < width) {
    const one = sizeof<T>();
    fillScaled<T>(sliver, <usize>(width << 2), width, src, across ? one : row, across ? row : one, lanes, depth, 1);
  } else {
    const half = WIDE ? min(width, 8) : width, step = <usize>(width << 2);
    fillWhole<T>(sliver, step, half, src, row, across, depth);
    if (WIDE && width > 8) fillWhole<T>(sliver + 32, step, half, src + 8 * (across ? sizeof<T>() : row), row, across, depth);
  }
}

/** `width` lanes, 5 to 8, of slivers that are `step` bytes wide. */
// @ts-ignore: decorator
@inline
function fillWhole<T>(
  sliver: usize, step: usize, width: i32, src: usize, row: usize, across: bool, depth: i32,
): void {
  if (across) fillAcross<T>(sliver, step, width, src, row, depth);
  else fillDown<T>(sliver, step, width, src, row, depth);
}

/** Any orientation, any number of lanes, times a factor: sliver[p, i] = scale·src[i·stepLane + p·stepDepth], `step` bytes from p to p. */
export function fillScaled<T>(
  sliver: usize, step: usize, width: i32, src: usize, stepLane: usize, stepDepth: usize, lanes: i32, depth: i32, scale: f32,
): void {
  for (let p = 0; p < depth; p++, sliver += step, src += stepDepth) {
    let from = src;
    for (let i = 0; i < width; i++, from += stepLane) {
      store<f32>(sliver + (i << 2), i < lanes ? scale * load1<T>(from) : 0);
    }
  }
}

function fillAcross<T>(sliver: usize, step: usize, width: i32, src: usize, row: usize, depth: i32): void {
  const second = <usize>(width - 4);
  const end = sliver + <usize>depth * step;
  for (; sliver < end; sliver += step, src += row) {
    const low = load4<T>(src), high = load4<T>(src + second * sizeof<T>());
    v128.store(sliver, low);
    v128.store(sliver + (second << 2), high);
  }
}

/** Both groups advance together: eight streams from memory rather than four twice. */
// @ts-ignore: decorator
@inline
function fillDown<T>(sliver: usize, step: usize, width: i32, src: usize, row: usize, depth: i32): void {
  const second = <usize>(width - 4);
  const other = second * row;
  let row1 = src + row, row2 = row1 + row, row3 = row2 + row;
  const end = src + <usize>depth * sizeof<T>(), end4 = src + <usize>(depth & ~3) * sizeof<T>();
  for (; src < end4; src += 4 * sizeof<T>()) {
    storeTransposed(sliver, step, load4<T>(src), load4<T>(row1), load4<T>(row2), load4<T>(row3));
    storeTransposed(
      sliver + (second << 2), step,
      load4<T>(src + other), load4<T>(row1 + other), load4<T>(row2 + other), load4<T>(row3 + other),
    );
    row1 += 4 * sizeof<T>(), row2 += 4 * sizeof<T>(), row3 += 4 * sizeof<T>(), sliver += 4 * step;
  }
  const rest = <i32>((end - src) / sizeof<T>());
  fillScaled<T>(sliver, step, width, src, row, sizeof<T>(), width, rest, 1);
}

/** Lane i of the four vectors becomes the i-th stored vector. */
// @ts-ignore: decorator
@inline
export function storeTransposed(to: usize, step: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2));
  v128.store(to + step, v128.shuffle<f64>(low01, low23, 1, 3));
  v128.store(to + 2 * step, v128.shuffle<f64>(high01, high23, 0, 2));
  v128.store(to + 3 * step, v128.shuffle<f64>(high01, high23, 1, 3));
}
