/** Changes the files of one input, each by what its ending says it is. */
import { mutateBytes } from "./bytes.mjs";
import { mutateJson } from "./json.mjs";
import { mutateGzip, mutatePng, mutateZip } from "./packed.mjs";
import { mutateSafetensors } from "./safetensors.mjs";
import { mutateText } from "./text.mjs";

const structured = [
  [/\.json$/, mutateJson],
  [/\.safetensors$/, mutateSafetensors],
  [/\.png$/, mutatePng],
  [/\.gz$/, mutateGzip],
  [/\.bin$/, mutateZip],
];
const isText = /\.(json|jsonl|csv|tsv|txt|ya?ml|jinja)$/;

/** A changed copy of `files`. Pieces of the other seeds of a campaign, and words that its format knows, are put in. */
export function mutateFiles(files, random, seeds = [], words = []) {
  const changed = { ...files };
  for (let left = random.pick([1, 1, 1, 2, 3]); left > 0; left--) {
    const name = random.pick(Object.keys(changed));
    const others = seeds.flatMap((seed) => (Object.hasOwn(seed, name) ? [seed[name]] : []));
    changed[name] = mutated(name, changed[name], random, others, words);
    if (Object.keys(changed).length > 1 && random.chance(0.02)) delete changed[name];
  }
  return changed;
}

function mutated(name, bytes, random, others, words) {
  const known = structured.find(([ending]) => ending.test(name))?.[1];
  if (known !== undefined && random.chance(0.8)) {
    const made = known(bytes, random, others);
    if (made !== null) return made;
  }
  if (isText.test(name) && random.chance(0.8)) return mutateText(bytes, random, others, words);
  return mutateBytes(bytes, random, others);
}
