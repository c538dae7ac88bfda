/** Formulas of simd/map.ts that several kernels use. */
import { madd } from "./lanes";

/** a + b. */
@unmanaged
export class Sum {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, _k: v128, _l: v128, _once: bool): v128 {
    return f32x4.add(a, b);
  }
}

/** a·b. */
@unmanaged
export class Product {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, _k: v128, _l: v128, _once: bool): v128 {
    return f32x4.mul(a, b);
  }
}

/** a·b + c. */
@unmanaged
export class AddProduct {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, c: v128, _k: v128, _l: v128, _once: bool): v128 {
    return madd(a, b, c);
  }
}

/** k·a. */
@unmanaged
export class Scaled {
  // @ts-ignore: decorator
  @inline
  of(a: v128, k: v128, _l: v128, _once: bool): v128 {
    return f32x4.mul(k, a);
  }
}

/** k·a + b. */
@unmanaged
export class AddScaled {
  // @ts-ignore: decorator
  @inline
  of(a: v128, b: v128, k: v128, _l: v128, _once: bool): v128 {
    return madd(k, a, b);
  }
}
