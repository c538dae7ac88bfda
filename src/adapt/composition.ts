/** How several bottleneck adapters at one place work together. */
import type { Residual, ResidualDelta } from "../nn/residual.ts";
import type { Adapter } from "./adapter.ts";

/** What acts at a residual connection when these adapters are active, or null. */
export function residualDelta(site: Residual, active: readonly Adapter[]): ResidualDelta | null {
  const parts = active.flatMap(({ sites }) => sites.residual?.get(site) ?? []);
  return parts.at(-1) ?? null;
}
