/** What was read of a prompt, kept for the next one. */
import { StateError } from "../core/errors.ts";
import { hasManyRows } from "../nn/pass/frozen-rows.ts";
import type { KvCache } from "../nn/pass/kv-cache.ts";
import type { CausalLM } from "../nn/tasks/causal-lm.ts";

interface Kept {
  readonly model: CausalLM;
  readonly acting: readonly unknown[];
  readonly ids: readonly number[];
  readonly cache: KvCache;
}

/**
 * Keeps keys and values of the last prompt that a decoder-only model has read, so that the next prompt reads only what is new: the
 * last turns of a chat, or the question after a long text. Give it to each call as the option `prefixCache`.
 *
 * What a model writes has the same bits as without. For that, an answer is read once more when it comes back as part of the next
 * prompt: several rows together round differently from rows one by one. Other adapters, training and another model empty it. It
 * holds one prompt, in the engine's memory, until `dispose`.
 *
 * @example
 * using prefixCache = new PrefixCache();
 * for await (const piece of stream(model, tokenizer, ids, { prefixCache })) process.stdout.write(piece);
 */
export class PrefixCache {
  #kept: Kept | null = null;
  #disposed = false;
  /** How many tokens of the last prompt were taken from the one before. */
  reusedTokens = 0;

  /** The tokens that are kept. */
  get length(): number {
    return this.#kept?.ids.length ?? 0;
  }

  /** For `Decoding`: reads what of `ids` is new, and keeps all of it. `acting` is what the rows depend on besides the model. */
  read(
    model: CausalLM,
    ids: readonly number[],
    acting: readonly unknown[],
    read: (rest: readonly number[], cache: KvCache) => Float32Array,
  ): { readonly logits: Float32Array; readonly cache: KvCache } {
    if (this.#disposed) throw new StateError("generate: the prefixCache is disposed of; make a new one");
    const kept = this.#kept;
    const same = this.#fits(model, acting) && ids.length <= model.steadyLength ? sharedStart(kept!.ids, ids) : 0;
    const cache = model.cache(ids.length);
    try {
      if (same > 0) cache.beginWith(kept!.cache, [0], same + model.virtualLength(model.stack));
      const logits = read(ids.slice(same), cache);
      this.clear();
      this.reusedTokens = same;
      this.#kept = { model, acting, ids: [...ids], cache };
      return { logits, cache };
    } catch (error) {
      cache.dispose();
      throw error;
    }
  }

  #fits(model: CausalLM, acting: readonly unknown[]): boolean {
    const kept = this.#kept;
    if (kept?.model !== model || kept.ids.length > model.steadyLength) return false;
    return kept.acting.length === acting.length && acting.every((each, i) => Object.is(each, kept.acting[i]));
  }

  /** Forgets all. */
  clear(): void {
    this.#kept?.cache.dispose();
    this.#kept = null;
  }

  dispose(): void {
    this.clear();
    this.#disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** How many ids both begin with, as long as they, and what comes after them, are read by the kernels for many rows. */
function sharedStart(kept: readonly number[], ids: readonly number[]): number {
  const end = kept.findIndex((id, i) => id !== ids[i]);
  let same = end < 0 ? kept.length : end;
  while (same > 0 && !hasManyRows(ids.length - same)) same--;
  return hasManyRows(kept.length) ? same : 0;
}
