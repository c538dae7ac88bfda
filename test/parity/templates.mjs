/**
 * Renders random chat templates here and with transformers, live: each must give the same text and the same generation
 * spans, or fail in both.
 *
 *   node test/parity/templates.mjs --python PYTHON [--seconds 60] [--seed N]
 *
 * Needs the built package. What this interpreter refuses by name (UnsupportedError, LimitError) counts apart. Prints the
 * seed, and each difference with its template; exits with 1 when there is one.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Template, TemplateError } from "../../dist/jinja/template.js";
import { randomFrom, randomTemplates, VARIABLES } from "./random-templates.mjs";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: process.env.LORIKEET_PYTHON ?? "python3" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(randomInt(1_000_000_000)) },
    show: { type: "string", default: "20" },
  },
});
const BATCH = 200;
/** What transformers gives every template. */
const OWN = { tools: null, documents: null, add_generation_prompt: false };

const script = fileURLToPath(new URL("template_reference.py", import.meta.url));
const python = spawn(options.python, [script], { stdio: ["pipe", "pipe", "inherit"] });
const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();

/** The text and its generation spans in code points, or the error. */
function rendered(template) {
  try {
    const { text, generations } = new Template(template).render({ ...OWN, ...VARIABLES });
    const points = (end) => Array.from(text.slice(0, end)).length;
    return { text, generations: generations.map(({ start, end }) => [points(start), points(end)]) };
  } catch (error) {
    if (!(error instanceof TemplateError)) return { fault: error.stack };
    return { error: error.message, refused: error.kind === "UnsupportedError" || error.kind === "LimitError" };
  }
}

/** Objects have addresses in Python's text. */
const hasAddress = (text) => / at 0x[0-9a-f]+>/.test(text);

/** Jinja folds constants before it runs a template: a slice of one that has none is undefined there, and an error here. */
const isFolded = (error) => /unhashable type: 'slice'|is not subscriptable/.test(error ?? "");

function compared(ours, theirs) {
  if (ours.fault !== undefined) return "differs";
  if (ours.refused || isFolded(ours.error)) return "refused";
  if (theirs.error !== undefined || ours.error !== undefined) {
    return (theirs.error === undefined) === (ours.error === undefined) ? "errors" : "differs";
  }
  if (hasAddress(theirs.text)) return "refused";
  const size = Array.from(theirs.text).length;
  const spans = theirs.generations.map((span) => span.map((end) => Math.min(end, size)));
  const same = ours.text === theirs.text && JSON.stringify(ours.generations) === JSON.stringify(spans);
  return same ? "same" : "differs";
}

console.log(`templates: seed ${options.seed}`);
const folder = new URL("../golden/templates/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".jinja"));
const examples = files.map((file) => readFileSync(new URL(file, folder), "utf8"));
const templates = randomTemplates(randomFrom(Number(options.seed)), examples);
const counts = { same: 0, errors: 0, refused: 0, differs: 0 };
const end = Date.now() + 1000 * Number(options.seconds);
while (Date.now() < end) {
  const batch = Array.from({ length: BATCH }, () => templates.next().value);
  for (const template of batch) python.stdin.write(`${JSON.stringify({ template, variables: VARIABLES })}\n`);
  for (const template of batch) {
    const theirs = JSON.parse((await answers.next()).value);
    const ours = rendered(template);
    const verdict = compared(ours, theirs);
    counts[verdict]++;
    if (verdict !== "differs" || counts.differs > Number(options.show)) continue;
    console.log(
      `DIFFERS ${JSON.stringify(template)}\n  here   ${JSON.stringify(ours)}\n  Python ${JSON.stringify(theirs)}`,
    );
  }
}
python.stdin.end();
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
console.log(
  `templates: ${total} compared, ${counts.same} same, ${counts.errors} fail in both, ${counts.refused} refused here, ` +
    `${counts.differs} differ`,
);
process.exitCode = counts.differs > 0 || counts.same < total / 10 ? 1 : 0;
