import { expect, test } from "vitest";
import { UnsupportedError } from "../../../src/core/errors.ts";
import { ConfigReader } from "../../../src/nn/config.ts";
import { activationOf } from "../../../src/nn/layers/activation-name.ts";

const of = (raw: Record<string, unknown>) => activationOf(new ConfigReader(raw), "hidden_act", "relu");

test.each([
  ["gelu", "gelu"],
  ["gelu_new", "gelu_new"],
  ["gelu_pytorch_tanh", "gelu_new"],
  ["gelu_fast", "gelu_new"],
  ["swish", "silu"],
  ["silu", "silu"],
  ["tanh", "tanh"],
])("%s is %s", (name, found) => {
  expect(of({ hidden_act: name })).toBe(found);
});

test("a config that says nothing has the architecture's, and an unknown one is named", () => {
  expect(of({})).toBe("relu");
  expect(() => of({ hidden_act: "quick_gelu" })).toThrow(UnsupportedError);
  expect(() => of({ hidden_act: "quick_gelu" })).toThrow('"hidden_act" is "quick_gelu", this version knows gelu,');
});
