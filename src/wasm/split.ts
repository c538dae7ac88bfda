/** How a kernel's work can be split; numbers are places among its arguments. Kernels state it themselves: see assembly/README.md. */
export interface Split {
  /** Whether the range is one of rows and one of columns. */
  readonly tile: boolean;
  /** Whether each thread should have one piece: rows of a stored matrix are read along, and short ones slowly. */
  readonly whole?: boolean;
  /** One item of the range is about as large as the product of these; one element of a tile as their sum. */
  readonly sizes: readonly number[];
  /** Where the workspace is, the kernel that states its size, and what that is to be given. */
  readonly workspace?: { readonly at: number; readonly of: string; readonly given: readonly number[] };
}
