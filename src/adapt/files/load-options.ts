/** Options for loading a folder. */

export interface LoadAdapterOptions {
  /** Continue training it. An adapter for inference has no gradients, which halves its memory. */
  isTrainable?: boolean;
  /** Options of the method, in camelCase, that override the file's, such as another dropout. */
  values?: Readonly<Record<string, unknown>>;
  /** The folder within the source that the adapter is in. */
  subfolder?: string;
  /**
   * Other names for modules, for an adapter of a model whose layers were called otherwise: regular expressions, searched for in
   * each key after "base_model.model.", and what takes their place. The first that is found counts, as in PEFT.
   */
  keyMapping?: Readonly<Record<string, string>>;
  /** Load numbers that are NaN or infinite, too; otherwise they are an error. */
  allowNonFinite?: boolean;
}

/** How a fusion of adapters is loaded. */
export interface LoadFusionOptions extends LoadAdapterOptions {
  /** The fused adapters in the order of the file, if they have other names here. */
  adapterNames?: readonly string[];
}
