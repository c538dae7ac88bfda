/** The campaigns, one in each file of campaigns/, and their inputs. */
import { readdirSync } from "node:fs";
import { mutateFiles } from "./mutators/files.mjs";
import { Random } from "./random.mjs";

export function campaignNames() {
  const files = readdirSync(new URL("campaigns", import.meta.url)).filter((file) => file.endsWith(".mjs"));
  return files.map((file) => file.slice(0, -".mjs".length)).sort();
}

export async function load(name) {
  const campaign = await import(`./campaigns/${name}.mjs`);
  const seeds = campaign.seeds();
  return { mutate: mutateFiles, words: [], ...campaign, seeds: () => seeds };
}

/** The files of a case, by its number. */
export function caseOf({ seeds, mutate, words }, seed, index) {
  const random = Random.ofCase(seed, index);
  return mutate(random.pick(seeds()), random, seeds(), words);
}
