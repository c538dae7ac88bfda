import { expect, test } from "vitest";
import { hubPlace } from "../../../src/adapt/method/hub-place.ts";
import type { Residual } from "../../../src/nn/layers/residual.ts";

const site = (name: string, inBlock: boolean, subLayer: Residual["subLayer"]) =>
  ({ name, inBlock, subLayer }) as Residual;

test("a connection in a module of the sub-layer has the module's name, one in the block a name of AdapterHub's", () => {
  expect(hubPlace(site("bert.encoder.layer.0.output", false, "feed-forward"))).toBe("bert.encoder.layer.0.output");
  expect(hubPlace(site("transformer.h.0", true, "attention"))).toBe("transformer.h.0.attention_adapters");
  expect(hubPlace(site("transformer.h.0", true, "feed-forward"))).toBe("transformer.h.0.output_adapters");
});
