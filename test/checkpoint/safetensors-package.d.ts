/** What the npm package of that name exports and the tests use; it has no types of its own. */
declare module "safetensors" {
  export class SafeTensor {
    constructor(file: Uint8Array);
    readonly metadata: ReadonlyMap<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
    getTensor(name: string): Uint8Array;
  }
}
