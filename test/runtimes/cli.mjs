/** The scenario in a host that has files and a command line: Node, Bun, Deno. Prints what it found as one line of JSON. */
import { fixture } from "./fixture.mjs";
import { scenarios } from "./scenario.mjs";

const entry = new URL(globalThis.process?.argv[2] ?? "../../dist/index.js", import.meta.url);
const { files, sequences } = fixture();
console.log(JSON.stringify(await scenarios(await import(entry.href), files, sequences)));
