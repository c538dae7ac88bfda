/** New tokens in the files of a tokenizer, as `add_tokens` and then `save_pretrained` of transformers leave them. */
import type { Json } from "../core/python-json.ts";

type JsonObject = Readonly<Record<string, Json>>;

/** The files of a tokenizer that name its added tokens. */
export interface TokenFiles {
  /** Contents of tokenizer.json. */
  readonly tokenizer: JsonObject;
  /** Contents of tokenizer_config.json. */
  readonly config: JsonObject;
}

export interface Extended extends TokenFiles {
  /** Ids of the given tokens, in order. */
  readonly ids: readonly number[];
  /** One more than the highest id. */
  readonly count: number;
}

/**
 * Adds tokens that are not there yet, behind all others. `special` ones are left out of decoded text when that was requested; the
 * others are matched in the normalized text.
 */
export function addTokens({ tokenizer, config }: TokenFiles, tokens: readonly string[], special: boolean): Extended {
  const known = (tokenizer.added_tokens ?? []) as readonly JsonObject[];
  const { vocab = {} } = (tokenizer.model ?? {}) as { vocab?: JsonObject | readonly (readonly Json[])[] };
  const idOf = new Map<string, number>([
    ...(Array.isArray(vocab)
      ? vocab.map((entry, id) => [String((entry as Json[])[0]), id] as const)
      : Object.entries(vocab as Record<string, number>)),
    ...known.map((token) => [String(token.content), Number(token.id)] as const),
  ]);
  let next = Math.max(idOf.size === 0 ? 0 : Math.max(...idOf.values()) + 1, 0);
  const added: JsonObject[] = [];
  for (const content of new Set(tokens)) {
    if (known.some((token) => token.content === content)) continue;
    const id = idOf.get(content) ?? next++;
    idOf.set(content, id);
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: !special, special });
  }
  const decoder = Object.fromEntries(added.map(({ id, ...token }) => [String(id), token]));
  const all = [...known, ...added].sort((a, b) => Number(a.id) - Number(b.id));
  return {
    tokenizer: { ...tokenizer, added_tokens: all },
    config: { ...config, added_tokens_decoder: { ...(config.added_tokens_decoder as JsonObject), ...decoder } },
    ids: tokens.map((token) => idOf.get(token)!),
    count: next,
  };
}
