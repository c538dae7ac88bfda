/** How cost grows: curves, drawn beside what is expected. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { bendLines, drawGrowth, slopeTable } from "../growth.js";
import { here, nodeFor } from "../programs.js";

/** `page` is the file that the section is written to: pictures are in a folder beside it. */
export async function measure({ quick, page }) {
  const out = here("results/growth-curves.json");
  const args = [here("growth.js"), "--out", out, ...(quick ? ["--short"] : [])];
  const [program, ...first] = nodeFor("wide");
  const { status } = spawnSync(program, [...first, ...args], { stdio: ["ignore", 2, 2] }); // it prints its progress
  if (status !== 0) throw new Error(`growth.js ended with ${status}`);
  const found = JSON.parse(readFileSync(out, "utf8"));
  const folder = page === null ? here("results/growth") : join(dirname(page), "growth");
  const files = drawGrowth(found, folder);
  const pictures = files.map((file, i) => {
    const link = relative(page === null ? here("results") : dirname(page), join(folder, file));
    return `![${found[i].name}: time and memory](${link.replaceAll("\\", "/")})`;
  });
  const about =
    "A small Llama (2 layers, 128 wide) with LoRA r 8, in the fastest build on one thread unless the curve says otherwise. A slope is the exponent of the power law that fits; what is expected of time is the count of operations where that is no plain power. A bend is where neighbors grew by another factor than expected.";
  const bends = found.flatMap(bendLines);
  return {
    title: "How cost grows",
    about,
    parts: [slopeTable(found), ...pictures],
    notes: bends.length > 0 ? bends : ["No curve bends away from what is expected."],
    found,
  };
}
