/** Changes bytes without knowing what they mean. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, 0x7b, 0x0a];

/** `bytes` with one change; `others` are bytes that pieces come from. */
export function mutateBytes(bytes, random, others = []) {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(random.chance(0.8) ? 8 : Math.max(8, bytes.length / 2));
  switch (random.below(7)) {
    case 0: {
      const flipped = Uint8Array.from(bytes);
      if (bytes.length > 0) flipped[at % bytes.length] ^= 1 << random.below(8);
      return flipped;
    }
    case 1: {
      const set = Uint8Array.from(bytes);
      if (bytes.length > 0) set[at % bytes.length] = random.chance(0.5) ? random.pick(EDGES) : random.below(256);
      return set;
    }
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
    case 4:
      return bytes.slice(0, at);
    case 5:
      return wide(Uint8Array.from(bytes), at, random);
    default: {
      const other = others.length > 0 ? random.pick(others) : bytes;
      const from = random.below(other.length + 1);
      const keep = random.chance(0.5) ? at : at + length;
      return joined(bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(keep));
    }
  }
}

/** Sets a number of several bytes to an edge. */
function wide(bytes, at, random) {
  const size = random.pick([2, 4, 8]);
  if (bytes.length < size) return bytes;
  const value = random.pick([0n, 1n, -1n, 0x7fn, 0x7fffffffn, 0x80000000n, 0x7fffffffffffffffn, BigInt(bytes.length)]);
  const big = random.chance(0.5);
  for (let i = 0; i < size; i++) {
    const shift = BigInt(8 * (big ? size - 1 - i : i));
    bytes[(at % (bytes.length - size + 1)) + i] = Number((value >> shift) & 0xffn);
  }
  return bytes;
}

export function joined(...parts) {
  return new Uint8Array(Buffer.concat(parts));
}
