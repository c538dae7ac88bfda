/** The suite in every host that is installed. */
import { hostTable, missingLines, runHosts } from "../hosts.js";

export async function measure({ quick, log }) {
  const found = await runHosts({ short: quick, log });
  const about =
    "`lorikeet bench suite`, the same program in each: every build on one thread, the fastest on all. Elapsed time, medians; ~ marks a figure with a spread over 5 %.";
  return { title: "Hosts", about, parts: [hostTable(found)], notes: missingLines(found), found };
}
