/** Damaged files of a run: what is read is right to the bit, or said to be damaged. */
import { createHash } from "node:crypto";
import { memoryRun, PeftModel } from "../../dist/index.js";
import { resultOf, STEPS, tinyBase, train } from "./trainee.mjs";

/** Ways to damage a file at a byte. */
const damages = {
  "a bit flipped": (bytes, at, random) => {
    const changed = bytes.slice();
    if (bytes.length > 0) changed[at] ^= 1 << Math.floor(random() * 8);
    return changed;
  },
  "cut off": (bytes, at) => bytes.slice(0, at),
  "a block of zeros": (bytes, at) => {
    const changed = bytes.slice();
    changed.fill(0, at, at + 512);
    return changed;
  },
  "bytes added": (bytes, at) => Buffer.concat([bytes.subarray(0, at), Buffer.from([at & 255]), bytes.subarray(at)]),
};

/** Positions in a file: all of a small one, and spread over a large one, the header included. */
function positions(size, count, random) {
  if (size <= count) return Array.from({ length: Math.max(1, size) }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + random()) * size) / count));
}

export async function damaged(ledger, { expected, random, perFile }) {
  const stopped = memoryRun();
  await train(stopped, { stopAfter: STEPS - 1 });
  for (const [kind, damage] of Object.entries(damages)) {
    ledger.begin(`checkpoint with ${kind}`);
    for (const [file, bytes] of stopped.files) {
      const count = kind === "a bit flipped" ? perFile : Math.ceil(perFile / 4);
      for (const at of positions(bytes.length, count, random)) {
        const run = memoryRun();
        for (const [name, content] of stopped.files)
          run.files.set(name, name === file ? damage(content, at, random) : content);
        await ledger.case(`${file}, ${kind} at ${at}`, async () => {
          const { warnings } = await train(run);
          if (resultOf(run.files) === expected) return;
          ledger.fail("otherBits", `${file}, ${kind} at ${at}: ${warnings.join("; ") || "nothing was said"}`);
        });
      }
    }
  }
  await adapters(ledger, { random, perFile });
  await fields(ledger, { stopped, expected });
}

/** The result: loading says what is damaged, or gives the same outputs. */
async function adapters(ledger, { random, perFile }) {
  ledger.begin("adapter damaged");
  const finished = memoryRun();
  await train(finished);
  const files = new Map(
    [...finished.files].flatMap(([name, bytes]) => (/^adapter\//.test(name) ? [[name.slice(8), bytes]] : [])),
  );
  const inputIds = [Int32Array.from({ length: 9 }, (_, i) => i * 3)];
  const base = await tinyBase();
  const outputs = async (folder, onWarning) => {
    const model = await PeftModel.fromPretrained(base, folder, { onWarning });
    try {
      return Buffer.from(model.forward({ ids: inputIds[0], starts: Int32Array.of(0, 9) }).data.buffer).toString("hex");
    } finally {
      model.unload();
    }
  };
  const right = await outputs(files, () => {});
  for (const [file, bytes] of files) {
    for (const [kind, damage] of Object.entries(damages)) {
      for (const at of positions(bytes.length, Math.ceil(perFile / 2), random)) {
        const name = `adapter/${file}, ${kind} at ${at}`;
        await ledger.case(name, async () => {
          const warnings = [];
          const found = await outputs(new Map(files).set(file, damage(bytes, at, random)), (text) =>
            warnings.push(text),
          );
          if (found !== right && warnings.length === 0) ledger.fail("otherBits", name);
        });
      }
    }
  }
  base.engine.dispose();
}

const values = [5, 3, -1, 2.5, 99, 1e300, "3", null, true, [], {}, undefined];

/** Every field of trainer.json with values that make no sense, in a checkpoint whose hashes fit: it is passed over, or refused. */
async function fields(ledger, { stopped, expected }) {
  ledger.begin("fields of trainer.json");
  const path = `checkpoint-${STEPS - 1}/state/trainer.json`;
  const original = JSON.parse(Buffer.from(stopped.files.get(path)).toString());
  for (const field of [
    "version",
    "identity",
    "progress",
    ...Object.keys(original.progress).map((name) => `progress.${name}`),
  ]) {
    for (const value of values) {
      const changed = structuredClone(original);
      const [first, second] = field.split(".");
      const owner = second === undefined ? changed : changed.progress;
      if (JSON.stringify(owner[second ?? first]) === JSON.stringify(value)) continue;
      owner[second ?? first] = value;
      const run = memoryRun();
      for (const [name, bytes] of stopped.files) run.files.set(name, bytes);
      rehash(run.files, path, Buffer.from(JSON.stringify(changed)));
      const name = `${field} = ${JSON.stringify(value)}`;
      await ledger.case(name, async () => {
        const { warnings } = await train(run);
        // A sum of losses or a count can be any number: what follows from nothing else is what the hashes are for.
        const free = /lossSum|unreported|evaluationsSinceBest|best|log/.test(field);
        if (resultOf(run.files) !== expected && !free) ledger.fail("otherBits", `${name}: ${warnings.join("; ")}`);
      });
    }
  }
}

function rehash(files, path, bytes) {
  const [folder] = path.split("/");
  const before = createHash("sha256").update(files.get(path)).digest("hex");
  const sums = Buffer.from(files.get(`${folder}/SHA256SUMS`)).toString();
  files.set(path, bytes);
  files.set(
    `${folder}/SHA256SUMS`,
    Buffer.from(sums.replace(before, createHash("sha256").update(bytes).digest("hex"))),
  );
}
