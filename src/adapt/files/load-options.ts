/** Options for loading a folder. */

export interface LoadAdapterOptions {
  /** Continue training it. An adapter for inference has no gradients, which halves its memory. */
  isTrainable?: boolean;
  /** Options of the method, in camelCase, that override the file's, such as another dropout. */
  values?: Readonly<Record<string, unknown>>;
}

export interface LoadFusionOptions extends LoadAdapterOptions {
  /** The fused adapters in the order of the file, if they have other names here. */
  adapterNames?: readonly string[];
}
