/** What ever failed in a campaign of test/fuzz no longer does. The campaigns read the built package. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";

interface Input {
  readonly name: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}
interface Outcome {
  readonly accepted: boolean;
  readonly column: string | null;
  readonly message?: string;
}
const room = (file: string) => import(new URL(file, import.meta.url).href);
const { load } = (await room("campaigns.mjs")) as { load(name: string): Promise<object> };
const { readCorpus } = (await room("corpus.mjs")) as { readCorpus(name: string): Input[] };
const { outcomeOf } = (await room("outcome.mjs")) as { outcomeOf(campaign: object, files: object): Promise<Outcome> };

const names = readdirSync(new URL("corpus", import.meta.url));

test("there is a corpus", () => {
  expect(names.length).toBeGreaterThan(3);
});

describe.each(names)("%s", (name) => {
  test("what failed is refused by name, or read as it should be", async () => {
    const campaign = await load(name);
    for (const { name: input, files } of readCorpus(name)) {
      const { accepted, column, message } = await outcomeOf(campaign, files);
      expect(column, `${input}: ${message}`).toBeNull();
      if (/^(wrongaccepts|otherbits)-/.test(input)) expect(accepted, input).toBe(false);
    }
  });
});
