/**
 * Reading stored numbers as f32, whatever their dtype: f32 itself, IEEE half (`F16`) and bfloat16 (`BF16`).
 * Exact for every bit pattern, subnormals, infinities and NaN included. `p` is a byte address of any alignment.
 */

/** Stands for IEEE half precision as a type argument; its bits are a u16. */
export type F16 = u16;
/** Stands for bfloat16 as a type argument; an i16 only to differ from `F16`. */
export type BF16 = i16;

/** Four consecutive numbers of dtype T at p. */
// @ts-ignore: decorator
@inline
export function load4<T>(p: usize): v128 {
  if (sizeof<T>() == 4) return v128.load(p);
  if (isSigned<T>()) return i32x4.shl(v128.load_ext<u16>(p), 16);
  return widenHalf(v128.load_ext<i16>(p));
}

/** Whether T is bfloat16. */
// @ts-ignore: decorator
@inline
export function isBrain<T>(): bool {
  return sizeof<T>() == 2 && isSigned<T>();
}

/**
 * Four of the eight consecutive numbers at p: the first four, of bfloat16 those at even places, which are a load and a shift away.
 * The other four are `loadSecond`.
 */
// @ts-ignore: decorator
@inline
export function loadFirst<T>(p: usize): v128 {
  return isBrain<T>() ? i32x4.shl(v128.load(p), 16) : load4<T>(p);
}

// @ts-ignore: decorator
@inline
export function loadSecond<T>(p: usize): v128 {
  return isBrain<T>() ? v128.and(v128.load(p), i32x4.splat(0xffff0000)) : load4<T>(p + 4 * sizeof<T>());
}

/** The same four of eight numbers in f32. */
// @ts-ignore: decorator
@inline
export function firstOf<T>(u: v128, v: v128): v128 {
  return isBrain<T>() ? v128.shuffle<f32>(u, v, 0, 2, 4, 6) : u;
}

// @ts-ignore: decorator
@inline
export function secondOf<T>(u: v128, v: v128): v128 {
  return isBrain<T>() ? v128.shuffle<f32>(u, v, 1, 3, 5, 7) : v;
}

/** One number of dtype T at p. */
// @ts-ignore: decorator
@inline
export function load1<T>(p: usize): f32 {
  if (sizeof<T>() == 4) return load<f32>(p);
  if (isSigned<T>()) return reinterpret<f32>(<i32>load<i16>(p) << 16);
  return f32x4.extract_lane(widenHalf(i32x4.splat(<i32>load<i16>(p))), 0);
}

/** 2¹¹², and bits: the largest finite magnitude, the exponent of infinity. */
const TABLE: usize = memory.data<i32>([0x77800000, 0x0f7fffff, 0x7f800000]);

/**
 * Sign-extended halves to f32. Exponent and mantissa move into the f32 fields, and the product with 2¹¹² = 2¹²⁷⁻¹⁵ mends
 * the exponent's bias, subnormals too; the half's all-ones exponent becomes that of f32.
 * Constants are in memory, as in exp.ts.
 */
// @ts-ignore: decorator
@inline
function widenHalf(h: v128): v128 {
  const magnitude = i32x4.shr_u(i32x4.shl(h, 17), 4);
  const finite = f32x4.mul(magnitude, v128.load32_splat(TABLE));
  const infinite = i32x4.gt_s(magnitude, v128.load32_splat(TABLE, 4));
  const special = v128.and(infinite, v128.load32_splat(TABLE, 8));
  return v128.or(v128.or(finite, special), i32x4.shl(i32x4.shr_s(h, 31), 31));
}
