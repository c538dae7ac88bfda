/**
 * How a kernel's work can be split; numbers are indexes of its arguments. Kernels declare it: see assembly/README.md.
 */
export interface Split {
  /** Whether the range has rows and columns. */
  readonly tile: boolean;
  /**
   * Whether each thread gets one piece: rows of a stored matrix are read along their length, and short ones are slow.
   */
  readonly whole?: boolean;
  /**
   * The cost of one item of the range is about the product of these; that of one element of a tile is about their sum.
   */
  readonly sizes: readonly number[];
  /** The workspace argument, the kernel that returns its size, and the arguments of that kernel. */
  readonly workspace?: { readonly at: number; readonly of: string; readonly given: readonly number[] };
}
