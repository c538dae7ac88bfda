/** How a folder is loaded. */

export interface LoadAdapterOptions {
  /** Go on training it. An adapter for inference has no gradients, which halves its memory. */
  isTrainable?: boolean;
  /** Options of the method, in camelCase, to use instead of the file's: another dropout, for instance. */
  values?: Readonly<Record<string, unknown>>;
}

export interface LoadFusionOptions extends LoadAdapterOptions {
  /** The fused adapters in the order of the file, where they have other names here. */
  adapterNames?: readonly string[];
}
