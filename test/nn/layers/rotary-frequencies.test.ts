import { expect, test } from "vitest";
import { ConfigReader, type RawConfig } from "../../../src/nn/config.ts";
import { rotaryFrequencies } from "../../../src/nn/layers/rotary-frequencies.ts";
import { expectClose } from "../../golden-files.ts";

const of = (raw: RawConfig, length = 1) => rotaryFrequencies(new ConfigReader(raw), 8, 2048).at(length);
const plain = [1, 0.1, 0.01, 0.001];

test("frequencies fall from 1 by the base", () => {
  expectClose("default base", of({}), plain, 0, 1e-6);
  expectClose("another base", of({ rope_theta: 16 }), [1, 0.5, 0.25, 0.125], 0, 1e-6);
});

test("linear scaling divides all of them, by either name of the key", () => {
  const quarter = plain.map((f) => f / 4);
  expectClose("type", of({ rope_scaling: { type: "linear", factor: 4 } }), quarter, 0, 1e-6);
  expectClose("rope_type", of({ rope_scaling: { rope_type: "linear", factor: 4 } }), quarter, 0, 1e-6);
  const parameters = { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 10000 } };
  expectClose("parameters", of(parameters), quarter, 0, 1e-6);
});

test("llama3 keeps short waves, slows long ones, and blends those between", () => {
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const got = of({ rope_scaling: { ...llama3, original_max_position_embeddings: 1000 } });
  // Wavelengths 6.28, 62.8, 628 and 6283 against 1000 / 4 and 1000 / 1; the third is 1000 / 628.3 = 1.5915 of them.
  const smooth = (1000 / (2 * Math.PI * 100) - 1) / 3;
  expectClose("llama3", got, [1, 0.1, (1 - smooth) * (0.01 / 8) + smooth * 0.01, 0.001 / 8], 0, 1e-6);
});

test.each<[Record<string, unknown>, string]>([
  [{ rope_type: "mrope" }, '"rope_scaling" has type "mrope", this version knows default, linear, dynamic, yarn'],
  [{ rope_type: "linear" }, '"factor" is missing, expected a number above 0'],
  [{ rope_type: "linear", factor: 0 }, '"factor" is 0, expected a number above 0'],
  [{ rope_type: "dynamic", factor: 0.5 }, '"factor" is 0.5, expected a number of at least 1'],
  [{ rope_type: "longrope", factor: 2, short_factor: [1] }, '"short_factor" is [1], expected a list of 4 numbers'],
  [{ rope_type: "longrope", short_factor: plain, long_factor: plain }, '"factor" is missing'],
  [
    { type: "linear", rope_type: "dynamic", factor: 2 },
    '"type" is "linear", expected the same as "rope_type" ("dynamic")',
  ],
  [
    { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 9 },
    '"high_freq_factor" is 4, expected a number above "low_freq_factor" (4)',
  ],
])("%o is refused by name", (scaling, message) => {
  expect(() => of({ rope_scaling: scaling })).toThrow(message);
});

test("a base that is not above 0 and a head of odd width are refused", () => {
  expect(() => of({ rope_theta: 0 })).toThrow('"rope_theta" is 0, expected a number above 0');
  expect(() => rotaryFrequencies(new ConfigReader({}), 7, 16)).toThrow('"head_dim" is 7, expected an even number');
});

test("dynamic scaling keeps the trained lengths, longrope changes its divisors behind them", () => {
  const dynamic = { rope_scaling: { rope_type: "dynamic", factor: 2 } };
  expectClose("trained", of(dynamic, 2048), plain, 0, 1e-6);
  expect(of(dynamic, 2049)[3]).toBeLessThan(0.001);
  const [short_factor, long_factor] = [plain.map(() => 2), plain.map(() => 4)];
  const longrope = { rope_scaling: { rope_type: "longrope", factor: 2, short_factor, long_factor } };
  expectClose(
    "short",
    of(longrope, 2048),
    plain.map((f) => f / 2),
    0,
    1e-6,
  );
  expectClose(
    "long",
    of(longrope, 2049),
    plain.map((f) => f / 4),
    0,
    1e-6,
  );
});

test("the context is as long as a scaling makes it", () => {
  const context = (rope_scaling: object) => rotaryFrequencies(new ConfigReader({ rope_scaling }), 8, 100).contextLength;
  expect(context({ rope_type: "linear", factor: 4 })).toBe(100);
  expect(context({ rope_type: "dynamic", factor: 4 })).toBe(400);
  expect(context({ rope_type: "yarn", factor: 4 })).toBe(400);
  expect(context({ rope_type: "yarn", factor: 4, original_max_position_embeddings: 25 })).toBe(100);
});
