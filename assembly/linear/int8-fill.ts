/**
 * Fills the slivers of `tileInt8`: for every two terms p, p + 1 of the sum, each lane's two numbers side by side as i16. Lanes
 * beyond the matrix's edge repeat the last one: nobody reads the tile's sums for them. A last term without partner gets a zero.
 */
import { zipHigh, zipLow } from "../simd/int8";
import { storeTransposed } from "./fill";
import { STRIP } from "./int8-sum";
import { COLS, ROWS } from "./int8-tile";

/** `lanes` rows of q, rows at byte steps `row`; q is zero after the last term. */
export function fillA(sliver: usize, q: usize, row: usize, lanes: i32, pairs: i32): void {
  const last = lanes - 1;
  const row1 = <usize>min(1, last) * row, row2 = <usize>min(2, last) * row, row3 = <usize>min(3, last) * row;
  const row4 = <usize>last * row;
  const rest = pairs & 3, end = q + (<usize>(pairs - rest) << 2);
  for (; q < end; q += 16, sliver += 4 * ROWS << 2) {
    const v1 = v128.load(q + row1), v2 = v128.load(q + row2), v3 = v128.load(q + row3);
    storeTransposed(sliver, ROWS << 2, v128.load(q), v1, v2, v3);
    storeTransposed(sliver + 4, ROWS << 2, v1, v2, v3, v128.load(q + row4));
  }
  for (let i = 0; i < rest; i++, q += 4, sliver += ROWS << 2) {
    store<u32>(sliver, load<u32>(q)), store<u32>(sliver, load<u32>(q + row1), 4);
    store<u32>(sliver, load<u32>(q + row2), 8), store<u32>(sliver, load<u32>(q + row3), 12);
    store<u32>(sliver, load<u32>(q + row4), 16);
  }
}

/**
 * Up to STRIP columns, one or two slivers, and `depth` terms of B, stored [n, k] (down) or [k, n], rows at byte steps `row`. `step`
 * bytes from one sliver to the next.
 */
export function fillB(slivers: usize, step: usize, b: usize, row: usize, down: bool, cols: i32, depth: i32): void {
  const stepLane: usize = down ? row : 1, stepDepth: usize = down ? 1 : row;
  const whole = down ? depth & ~7 : cols == STRIP ? depth & ~1 : 0;
  if (!down) fillAcross(slivers, step, b, row, whole);
  for (; cols > 0; cols -= COLS, slivers += step, b += COLS * stepLane) {
    const lanes = min(cols, COLS);
    if (down) fillDown(slivers, b, row, WIDE ? min(lanes, 8) : lanes, whole);
    if (WIDE && down && lanes > 8) fillDown(slivers + 32, b + 8 * row, row, lanes - 8, whole);
    fillRest(slivers + (<usize>whole * COLS << 1), b + <usize>whole * stepDepth, stepLane, stepDepth, lanes, depth - whole);
  }
}

function fillRest(sliver: usize, b: usize, stepLane: usize, stepDepth: usize, lanes: i32, depth: i32): void {
  for (; depth > 0; depth -= 2, b += 2 * stepDepth) {
    for (let i = 0; i < COLS; i++, sliver += 4) {
      const from = b + <usize>min(i, lanes - 1) * stepLane;
      store<i16>(sliver, load<i8>(from)), store<i16>(sliver, depth > 1 ? load<i8>(from + stepDepth) : 0, 2);
    }
  }
}

function fillDown(sliver: usize, b: usize, row: usize, lanes: i32, depth: i32): void {
  const last = lanes - 1;
  const row1 = <usize>min(1, last) * row, row2 = <usize>min(2, last) * row, row3 = <usize>min(3, last) * row;
  const row4 = <usize>min(4, last) * row, row5 = <usize>min(5, last) * row, row6 = <usize>min(6, last) * row;
  const row7 = <usize>last * row;
  for (const end = b + <usize>depth; b < end; b += 8, sliver += 4 * COLS << 2) {
    storeTransposed(
      sliver, COLS << 2,
      v128.load8x8_s(b), v128.load8x8_s(b + row1), v128.load8x8_s(b + row2), v128.load8x8_s(b + row3),
    );
    storeTransposed(
      sliver + 16, COLS << 2,
      v128.load8x8_s(b + row4), v128.load8x8_s(b + row5), v128.load8x8_s(b + row6), v128.load8x8_s(b + row7),
    );
  }
}

/** STRIP columns: whole vectors of the rows p and p + 1 interleaved by bytes, then widened. */
function fillAcross(slivers: usize, step: usize, b: usize, row: usize, depth: i32): void {
  const end = slivers + (<usize>depth * COLS << 1);
  for (; slivers < end; slivers += COLS << 2, b += 2 * row) {
    const v0 = v128.load(b), v1 = v128.load(b + row);
    const low = zipLow(v0, v1), high = zipHigh(v0, v1);
    v128.store(slivers, i16x8.extend_low_i8x16_s(low)), v128.store(slivers, i16x8.extend_high_i8x16_s(low), 16);
    const second = slivers + (WIDE ? 0 : step);
    v128.store(second, i16x8.extend_low_i8x16_s(high), WIDE ? 32 : 0);
    v128.store(second, i16x8.extend_high_i8x16_s(high), WIDE ? 48 : 16);
  }
}
