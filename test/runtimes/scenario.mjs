/**
 * The main job in small, the same in every host: load a model from bytes, run it, take a step of LoRA, save the adapter.
 * Imports nothing of any host; the library is handed in.
 */

/** FNV-1a over bytes, for telling results apart without a platform's hashes. */
function fingerprint(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

function check(holds, claim) {
  if (!holds) throw new Error(`does not hold: ${claim}`);
}

/**
 * @param lorikeet the library's public entry
 * @param files the model folder: a map of names to bytes
 * @param sequences ids of the batch
 * @param build "baseline" or "auto"
 * @param threads how many threads to ask for
 * @returns what another host must find too: losses, and fingerprints of the logits' and the adapter's bytes
 */
export async function scenario(lorikeet, files, sequences, build, threads) {
  const { AutoModelForCausalLM, concatenate, createEngine, getPeftModel, lora, PeftModel, Trainer } = lorikeet;
  const engine = await createEngine({ build, threads });
  const model = await AutoModelForCausalLM.fromPretrained(new Map(files), { engine });
  const batch = concatenate(sequences);
  const { data: logits, shape } = model.forward(batch);
  check(
    shape[0] === batch.ids.length && shape[1] === model.vocabSize && logits.length === shape[0] * shape[1],
    "logits have a row for each token and a column for each entry of the vocabulary",
  );
  check(logits.every(Number.isFinite), "logits are finite");

  const peft = getPeftModel(model, lora({ r: 2, loraAlpha: 4, targetModules: "all-linear" }));
  check(same(peft.forward(batch).data, logits), "a fresh adapter changes nothing");
  const reported = [];
  const trainDataset = sequences.map((ids) => ({ inputIds: Int32Array.from(ids), labels: Int32Array.from(ids) }));
  const args = { maxSteps: 2, learningRate: 0.01, lrSchedulerType: "constant", seed: 3 };
  await new Trainer({ model: peft, trainDataset, args, onProgress: ({ loss }) => reported.push(loss) }).train();
  check(reported.length === 2 && reported[1] < reported[0], "a step lowers the loss");
  const adapted = peft.forward(batch).data;

  const saved = new Map();
  await peft.savePretrained(saved);
  check(saved.has("adapter_config.json") && saved.has("adapter_model.safetensors"), "an adapter folder is written");
  const base = await AutoModelForCausalLM.fromPretrained(new Map(files), { engine });
  const loaded = await PeftModel.fromPretrained(base, saved);
  check(same(loaded.forward(batch).data, adapted), "the adapter that was saved loads and gives the same logits");

  let refused = "";
  try {
    await AutoModelForCausalLM.fromPretrained(new Map([["config.json", new TextEncoder().encode("{}")]]), { engine });
  } catch (error) {
    refused = error.name;
  }
  check(refused === "FormatError", "a folder without a model_type is refused");
  engine.dispose();
  const bytes = (floats) => new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  return {
    build: engine.build,
    losses: reported,
    logits: fingerprint(bytes(logits)),
    adapter: fingerprint(saved.get("adapter_model.safetensors")),
  };
}

function same(a, b) {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Both builds in one go, with one thread and with two where the host has them. */
export async function scenarios(lorikeet, files, sequences) {
  const found = [];
  for (const build of ["baseline", "auto"]) {
    const [one, two] = [1, 2].map((threads) => () => scenario(lorikeet, files, sequences, build, threads));
    const result = await one();
    check(JSON.stringify(await two()) === JSON.stringify(result), "two threads give the same bits as one");
    found.push(result);
  }
  return found;
}
