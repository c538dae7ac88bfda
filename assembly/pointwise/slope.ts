/** The gradient of a function of one number, as a formula for `map3` of simd/map.ts. */
import { madd } from "../simd/lanes";

/** dx + dy·F.slope(x). */
@unmanaged
export class AddSlope<F> {
  // @ts-ignore: decorator
  @inline
  of(dx: v128, dy: v128, x: v128, k: v128, _l: v128, once: bool): v128 {
    return madd(dy, changetype<F>(0).slope(x, k, once), dx);
  }
}
