/** The memory that a WebAssembly module imports. */

const IMPORTS = 2;
const KINDS = { function: 0, table: 1, memory: 2, global: 3 };

/**
 * Where a module says whether the memory it imports is shared: the place of the flags of its limits (1: it has a maximum, 3: it
 * is shared too). Throws unless it imports one memory, with a maximum. See "Binary Format, Modules" in the specification of WebAssembly.
 */
export function memoryFlags(wasm) {
  const found = [];
  const reader = new Reader(wasm, 8);
  while (reader.at < wasm.length) {
    const section = reader.byte();
    const end = reader.number() + reader.at;
    if (section === IMPORTS) for (let left = reader.number(); left > 0; left--) readImport(reader, found);
    reader.at = end;
  }
  const [at] = found;
  if (found.length !== 1 || wasm[at] !== 1)
    throw new Error("the kernels must import one memory, not shared and with a maximum");
  return at;
}

/** Moves past one import, and notes where the flags of a memory are. */
function readImport(reader, found) {
  reader.name();
  reader.name();
  const kind = reader.byte();
  if (kind === KINDS.function) reader.number();
  else if (kind === KINDS.global) reader.skip(2);
  else {
    if (kind === KINDS.table) reader.skip(1);
    else found.push(reader.at);
    const flags = reader.byte();
    reader.number();
    if (flags & 1) reader.number();
  }
}

class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  skip(count) {
    this.at += count;
  }

  /** LEB128, unsigned. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  name() {
    this.skip(this.number());
  }
}
