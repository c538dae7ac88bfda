import type { Residual, SubLayer } from "../../nn/layers/residual.ts";

/**
 * AdapterHub's names for the adapters of a block that contains the connection itself instead of a module of the
 * sub-layer.
 */
const inBlock: Readonly<Record<SubLayer, string>> = {
  attention: "attention_adapters",
  "cross-attention": "cross_attention_adapters",
  "feed-forward": "output_adapters",
};

/** Where AdapterHub keeps the adapters of a residual connection, such as "bert.encoder.layer.0.output". */
export function hubPlace(site: Residual): string {
  return site.inBlock ? `${site.name}.${inBlock[site.subLayer]}` : site.name;
}
