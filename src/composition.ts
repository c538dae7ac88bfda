/**
 * How several bottleneck adapters work together, in AdapterHub's words: what `PeftModel.setAdapter` takes besides names.
 *
 * @example
 * import { fuse, stack } from "lorikeet/composition";
 * model.setAdapter(stack("language", fuse("a", "b")));
 */

export {
  average,
  batchSplit,
  type Composition,
  fuse,
  parallel,
  split,
  stack,
} from "./adapt/compose/composition.ts";
