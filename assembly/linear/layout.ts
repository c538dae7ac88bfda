/** How the operands of a matmul lie in memory: bits of its `layout` argument. The host has them too. */

/**
 * B is stored [n, k], as a published Linear weight; else [k, n].
 * @host LAYOUT_B_NK
 */
export const B_NK: i32 = 1;
/**
 * The low-rank B2 is stored [n, r]; else [r, n].
 * @host LAYOUT_B2_NK
 */
export const B2_NK: i32 = 2;
/**
 * A is stored [k, m]; else [m, k].
 * @host LAYOUT_A_KM
 */
export const A_KM: i32 = 4;
/**
 * C += the product; else C is overwritten.
 * @host LAYOUT_ACCUMULATE
 */
export const ACCUMULATE: i32 = 8;
/**
 * Read A in fewer, wider loads: for engines that check every address (see tileByLanes). Changes no bit of C.
 * @host LAYOUT_FEW_LOADS
 */
export const FEW_LOADS: i32 = 16;
