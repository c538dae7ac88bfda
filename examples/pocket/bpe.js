/**
 * Byte-pair encoding, trained from scratch (Sennrich, Haddow and Birch 2016, over bytes as in GPT-2): start from the
 * 256 bytes and, again and again, merge the most common adjacent pair inside a word into one new token.
 *
 * The same texts always give the same tokens: the lower token numbers break ties.
 */

/** GPT-2's words: contractions, then letters, digits or signs with the blank before them, then other blanks. */
const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * Trains a vocabulary of `size` tokens: the special ones first, then the 256 bytes, then the merges in order.
 * Returns `{ vocab, merges }` as the model part of a tokenizer.json has them.
 */
export function trainBpe(texts, size, specialTokens) {
  const names = [...specialTokens, ...byteNames()];
  const words = countWords(texts, specialTokens.length);
  const pairs = countPairs(words);
  const merges = [];
  while (names.length < size) {
    const best = commonest(pairs);
    if (best === null) throw new Error(`the texts give only ${names.length} tokens of the ${size} requested`);
    merges.push([names[best.left], names[best.right]]);
    const token = tokenNamed(names[best.left] + names[best.right], names);
    for (const word of best.words) mergeInside(word, best, token, pairs);
    pairs.delete(key(best.left, best.right));
  }
  return { vocab: Object.fromEntries(names.map((name, id) => [name, id])), merges };
}

/** The number of a token; new unless another merge has the same spelling (a + bc after ab + c). */
function tokenNamed(name, names) {
  const known = names.indexOf(name);
  return known < 0 ? names.push(name) - 1 : known;
}

/**
 * The printable character that stands for each of the 256 bytes in a byte-level vocabulary: itself where it is
 * printable in Latin-1, else the next free one from U+0100 on. The order is by byte.
 */
function byteNames() {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

/** The different words of all texts, each with its count and its bytes as token numbers. */
function countWords(texts, firstByte) {
  const counts = new Map();
  for (const text of texts) {
    for (const word of text.match(WORD) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    count,
    tokens: Array.from(encoder.encode(word), (b) => firstByte + b),
  }));
}

/** Every neighboring pair: how often it occurs, and in which words. */
function countPairs(words) {
  const pairs = new Map();
  for (const word of words) addPairs(word, word.count, pairs);
  return pairs;
}

/** Adds `change` to the count of each pair in `word`. */
function addPairs(word, change, pairs) {
  const { tokens } = word;
  for (let i = 1; i < tokens.length; i++) {
    const id = key(tokens[i - 1], tokens[i]);
    let pair = pairs.get(id);
    if (pair === undefined) {
      pair = { left: tokens[i - 1], right: tokens[i], count: 0, words: new Set() };
      pairs.set(id, pair);
    }
    pair.count += change;
    pair.words.add(word);
  }
}

function commonest(pairs) {
  let best = null;
  for (const pair of pairs.values()) {
    if (pair.count > 0 && (best === null || comesBefore(pair, best))) best = pair;
  }
  return best;
}

function comesBefore(a, b) {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

/** Replaces `pair` by `token` in one word, from the left, and corrects the counts of its pairs. */
function mergeInside(word, pair, token, pairs) {
  addPairs(word, -word.count, pairs);
  const merged = [];
  for (let i = 0; i < word.tokens.length; i++) {
    const found = word.tokens[i] === pair.left && word.tokens[i + 1] === pair.right;
    merged.push(found ? token : word.tokens[i]);
    if (found) i++;
  }
  word.tokens = merged;
  addPairs(word, word.count, pairs);
}

function key(left, right) {
  return left * 0x10000 + right;
}
