/**
 * Rows of a table by id, and the same for the transposed down-projection of LoRA on an embedding.
 *
 *   embedding             y[i, :] = table[ids[i], :]           rows start..end
 *   embedding_int8        y[i, :] = scales[ids[i]]·table[ids[i], :]           rows start..end
 *   embedding_dtable      dt[ids[i], c] += dy[i, c]            columns start..end, so that equal ids never race
 *   embedding_columns     t[i, q] = a[q, ids[i]]               rows start..end
 *   embedding_columns_da  da[q, ids[i]] += dt[i, q]            q in start..end
 *
 *   ids [T] i32, each a valid row of the table
 *   table [V, D] of the kernel's dtype, ldt elements from row to row   y, dy [T, D]   dt (dtable) [V, D]
 *   a, da [r, V]   t, dt [T, r]
 */
import { BF16, F16, load1, load4 } from "../simd/half";
import { scaleRow } from "../simd/int8";
import { axpy } from "../simd/lanes";

/** @split items of width */
export function embedding_f32(y: usize, table: usize, ids: usize, width: i32, ldt: i32, start: i32, end: i32): void {
  gather<f32>(y, table, ids, width, ldt, start, end);
}

/** @split items of width */
export function embedding_f16(y: usize, table: usize, ids: usize, width: i32, ldt: i32, start: i32, end: i32): void {
  gather<F16>(y, table, ids, width, ldt, start, end);
}

/** @split items of width */
export function embedding_bf16(y: usize, table: usize, ids: usize, width: i32, ldt: i32, start: i32, end: i32): void {
  gather<BF16>(y, table, ids, width, ldt, start, end);
}

function gather<T>(y: usize, table: usize, ids: usize, width: i32, ldt: i32, start: i32, end: i32): void {
  let out = y + (<usize>(start * width) << 2);
  for (let i = start; i < end; i++) {
    let p = table + <usize>id(ids, i) * <usize>ldt * sizeof<T>();
    let left = width;
    if (WIDE) {
      for (; left > 7; left -= 8, p += 8 * sizeof<T>(), out += 32) {
        const first = load4<T>(p), second = load4<T>(p + 4 * sizeof<T>());
        v128.store(out, first), v128.store(out, second, 16);
      }
    }
    for (; left > 3; left -= 4, p += 4 * sizeof<T>(), out += 16) v128.store(out, load4<T>(p));
    for (; left > 0; left--, p += sizeof<T>(), out += 4) store<f32>(out, load1<T>(p));
  }
}

/** @split items of width */
export function embedding_int8(
  y: usize, table: usize, scales: usize, ids: usize, width: i32, ldt: i32, start: i32, end: i32,
): void {
  let out = y + (<usize>(start * width) << 2);
  for (let i = start; i < end; i++, out += <usize>width << 2) {
    const row = <usize>id(ids, i);
    scaleRow(out, table + row * <usize>ldt, f32x4.splat(load<f32>(scales + (row << 2))), width);
  }
}

/** @split items of rows * width */
export function embedding_f32_dtable(
  dt: usize, dy: usize, ids: usize, rows: i32, width: i32, start: i32, end: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const to = <usize>id(ids, i) * <usize>width + start, from = <usize>(i * width + start);
    axpy(dt + (to << 2), 1, dy + (from << 2), end - start);
  }
}

/** @split items */
export function embedding_columns_f32(
  t: usize, a: usize, ids: usize, r: i32, vocabulary: i32, start: i32, end: i32,
): void {
  const row = <usize>vocabulary << 2;
  let out = t + (<usize>(start * r) << 2);
  for (let i = start; i < end; i++) {
    let p = a + (<usize>id(ids, i) << 2);
    for (let q = 0; q < r; q++, p += row, out += 4) store<f32>(out, load<f32>(p));
  }
}

/** @split items of rows */
export function embedding_columns_f32_da(
  da: usize, dt: usize, ids: usize, rows: i32, r: i32, vocabulary: i32, start: i32, end: i32,
): void {
  for (let q = start; q < end; q++) {
    const row = da + (<usize>q * <usize>vocabulary << 2);
    for (let i = 0; i < rows; i++) {
      const to = row + (<usize>id(ids, i) << 2);
      store<f32>(to, load<f32>(to) + load<f32>(dt + (<usize>(i * r + q) << 2)));
    }
  }
}

// @ts-ignore: decorator
@inline
function id(ids: usize, i: i32): i32 {
  return load<i32>(ids + (<usize>i << 2));
}
