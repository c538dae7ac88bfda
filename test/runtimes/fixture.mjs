/** The model and the batch of the scenario, from the goldens. */
import { readFileSync } from "node:fs";

const folder = new URL("../golden/models/llama-tied/", import.meta.url);

/** Names and bytes of the model's files, and ids of a batch. */
export function fixture() {
  const files = ["config.json", "model.safetensors"].map((name) => [
    name,
    new Uint8Array(readFileSync(new URL(name, folder))),
  ]);
  return { files, sequences: JSON.parse(readFileSync(new URL("case.json", folder), "utf8")).sequences };
}
