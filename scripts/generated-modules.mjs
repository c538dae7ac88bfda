/** The text of the modules that the build writes. */
import { splitsOf } from "./kernel-declarations.mjs";

const MADE = "// Made by scripts/build.mjs";

/** src/wasm/generated/kernels.ts: the kernels' types and how each can be split. */
export function kernelTable(kernels) {
  const signature = ({ name, parameters, result }) =>
    `  ${name}(${parameters.map((each) => `${each.name}: ${each.type}`).join(", ")}): ${result};`;
  return [
    `${MADE} from the files of assembly/.`,
    `import type { Split } from "../split.ts";`,
    "/** The kernels of a build, by name. */",
    "export interface Kernels {",
    ...kernels.map(signature),
    "}",
    "export const splits: Readonly<Record<string, Split>> = {",
    ...Object.entries(splitsOf(kernels)).map(([name, split]) => `  ${name}: ${JSON.stringify(split)},`),
    "};",
    "",
  ].join("\n");
}

/** src/wasm/generated/constants.ts: what the kernels' source says with @host. */
export function constantsModule(constants) {
  const lines = Object.entries(constants).map(([name, value]) => `export const ${name} = ${value};`);
  return [`${MADE} from the constants of assembly/ that say @host.`, ...lines, ""].join("\n");
}

/** src/kernels/<build>.generated.ts: a build of the kernels, compressed. */
export function wasmModule(packed, memoryFlags) {
  return `${MADE}.\nexport const memoryFlags = ${memoryFlags};\nexport const wasm =\n  "${packed.toString("base64")}";\n`;
}
