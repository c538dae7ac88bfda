// What bundle.mjs packs: a function as serverless hosts call it, with its model in the bundle.
import { AutoModelForCausalLM, AutoTokenizer, createEngine, generate } from "lorikeet";
import config from "../pocket/config.json";
import weights from "../pocket/model.safetensors";
import tokenizerJson from "../pocket/tokenizer.json";
import tokenizerConfig from "../pocket/tokenizer_config.json";

const json = (value) => new TextEncoder().encode(JSON.stringify(value));
const files = {
  "config.json": json(config),
  "model.safetensors": weights,
  "tokenizer.json": json(tokenizerJson),
  "tokenizer_config.json": json(tokenizerConfig),
};
async function load() {
  const engine = await createEngine({ threads: 1, maxBytes: 64 * 1024 * 1024 });
  return {
    tokenizer: await AutoTokenizer.fromPretrained(files),
    model: await AutoModelForCausalLM.fromPretrained(files, { engine }),
  };
}

let loading; // once for all calls of an instance
export default {
  async fetch(request) {
    loading ??= load();
    const { tokenizer, model } = await loading;
    const prompt = new URL(request.url).searchParams.get("prompt");
    const ids = await generate(model, tokenizer.encode(prompt), { maxNewTokens: 12, temperature: 0 });
    return new Response(prompt + tokenizer.decode(ids));
  },
};
