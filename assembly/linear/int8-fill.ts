/**
 * Fills the slivers of `tileInt8`: for every two terms p, p + 1 of the sum, each lane's two numbers side by side as i16. Lanes
 * beyond the matrix's edge repeat the last one: nobody reads the tile's sums for them. A last term without partner gets a zero.
 */
import { storeTransposed } from "./fill";
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

/** `lanes` columns and `depth` terms of B, stored [n, k] (down) or [k, n], rows at byte steps `row`. */
export function fillB(sliver: usize, b: usize, row: usize, down: bool, lanes: i32, depth: i32): void {
  const whole = down ? depth & ~7 : lanes == COLS ? depth & ~1 : 0;
  if (down) fillDown(sliver, b, row, lanes, whole);
  else fillAcross(sliver, b, row, whole);
  const stepLane: usize = down ? row : 1, stepDepth: usize = down ? 1 : row;
  sliver += <usize>whole * COLS << 1;
  b += <usize>whole * stepDepth;
  for (let p = whole; p < depth; p += 2, b += 2 * stepDepth) {
    for (let i = 0; i < COLS; i++, sliver += 4) {
      const from = b + <usize>min(i, lanes - 1) * stepLane;
      store<i16>(sliver, load<i8>(from)), store<i16>(sliver, p + 1 < depth ? load<i8>(from + stepDepth) : 0, 2);
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

function fillAcross(sliver: usize, b: usize, row: usize, depth: i32): void {
  const end = sliver + (<usize>depth * COLS << 1);
  for (; sliver < end; sliver += COLS << 2, b += 2 * row) {
    const v0 = v128.load8x8_s(b), v1 = v128.load8x8_s(b + row);
    v128.store(sliver, v128.shuffle<i16>(v0, v1, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(sliver, v128.shuffle<i16>(v0, v1, 4, 12, 5, 13, 6, 14, 7, 15), 16);
  }
}
