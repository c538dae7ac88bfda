/**
 * A reader for the pickles that torch.save writes, which executes nothing. A pickle is a program for a small stack
 * machine that builds objects and may call any Python function by name. Here a name stays a name, and a call becomes a
 * record of the function and its arguments; the caller decides which records it accepts. The opcodes are those of
 * Python's pickletools (protocols 2 to 5) that dicts, lists, tuples, texts and numbers need; any other is refused.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";

/** A function or class by name, such as "torch._utils._rebuild_tensor_v2". */
export class PythonName {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** The result of a call that is not executed. */
export class PythonCall {
  readonly callee: PythonName;
  readonly args: readonly Pickled[];
  constructor(callee: PythonName, args: readonly Pickled[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** Data outside the pickle, under a key of the file. */
export class PythonReference {
  readonly key: Pickled;
  constructor(key: Pickled) {
    this.key = key;
  }
}

/** The contents of a pickle: tuples and lists are arrays, dicts are maps. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | Pickled[]
  | Map<Pickled, Pickled>
  | PythonName
  | PythonCall
  | PythonReference;

/** The contents of a pickle, and its end. */
export interface Unpickled {
  readonly value: Pickled;
  /** Every reference in it, in order. */
  readonly references: readonly PythonReference[];
  readonly end: number;
}

const ORDERED_DICT = "collections.OrderedDict";
/** Marks the start of a run of items on the stack. */
const mark = Symbol("mark");

/**
 * Reads the pickle that begins at `start`. Names not in `known` are refused. Throws UnsupportedError for an unknown
 * name or opcode, RangeError if the bytes end too early, FormatError if they are not a pickle.
 */
export function unpickle(bytes: Uint8Array, what: string, known: ReadonlySet<string>, start = 0): Unpickled {
  const machine = new Machine(bytes, what, known, start);
  while (!machine.done) machine.step();
  return { value: machine.pop(), references: machine.references, end: machine.at };
}

class Machine {
  at: number;
  done = false;
  readonly references: PythonReference[] = [];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  readonly #known: ReadonlySet<string>;
  readonly #stack: (Pickled | typeof mark)[] = [];
  readonly #memo = new Map<number, Pickled>();

  constructor(bytes: Uint8Array, what: string, known: ReadonlySet<string>, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.#known = known;
    this.at = start;
  }

  pop(): Pickled {
    const top = this.#stack.pop();
    if (top !== undefined && top !== mark) return top;
    throw this.#damaged("pops from an empty stack");
  }

  /** Runs one opcode. */
  step(): void {
    const begun = this.at;
    const opcode = this.#uint(1);
    const push = opcodes.get(String.fromCharCode(opcode));
    if (push === undefined) {
      const hex = opcode.toString(16).padStart(2, "0");
      throw new UnsupportedError(
        `${this.#what}: pickle opcode 0x${hex} at byte ${begun} is unknown: torch.save does not write it for tensors`,
      );
    }
    push(this);
  }

  push(value: Pickled | typeof mark): void {
    this.#stack.push(value);
  }

  /** The items above the last mark, which is removed. */
  popRun(): Pickled[] {
    const from = this.#stack.lastIndexOf(mark);
    if (from < 0) throw this.#damaged("has no mark where one is expected");
    return this.#stack.splice(from).slice(1) as Pickled[];
  }

  popTuple(length: number): void {
    const items = Array.from({ length }, () => this.pop());
    this.push(items.reverse());
  }

  uint(bytes: 1 | 2 | 4): number {
    return this.#uint(bytes);
  }

  #uint(bytes: 1 | 2 | 4): number {
    const at = this.#advance(bytes);
    return bytes === 1
      ? this.#view.getUint8(at)
      : bytes === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A two's complement integer, least significant byte first. It is rounded if a double cannot hold it exactly. */
  long(bytes: number): number {
    const at = this.#advance(bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#view.getUint8(at + i));
    return Number(BigInt.asIntN(8 * bytes, value));
  }

  text(bytes: number): string {
    const at = this.#advance(bytes);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + bytes));
  }

  /** A text up to the end of the line. */
  line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    if (end < 0) throw new RangeError(`${this.#what} ends in the middle of a line`);
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  skip(bytes: number): void {
    this.#advance(bytes);
  }

  pushName(module: Pickled, name: Pickled): void {
    const full = `${module}.${name}`;
    if (full !== ORDERED_DICT && !this.#known.has(full)) {
      throw new UnsupportedError(
        `${this.#what} uses Python's "${full}": only tensors are read, and nothing is executed; save it as safetensors`,
      );
    }
    this.push(new PythonName(full));
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    if (!(callee instanceof PythonName) || !Array.isArray(args))
      throw this.#damaged("calls a value that is not a function");
    this.push(callee.name === ORDERED_DICT && args.length === 0 ? new Map() : new PythonCall(callee, args));
  }

  refer(): void {
    const reference = new PythonReference(this.pop());
    this.references.push(reference);
    this.push(reference);
  }

  setItems(items: readonly Pickled[]): void {
    const map = this.#top();
    if (!(map instanceof Map) || items.length % 2 !== 0)
      throw this.#damaged("sets items of a value that is not a dict");
    for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
  }

  append(items: readonly Pickled[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#damaged("appends to a value that is not a list");
    for (const item of items) list.push(item);
  }

  remember(key: number): void {
    this.#memo.set(key, this.#top());
  }

  memoize(): void {
    this.remember(this.#memo.size);
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.#damaged(`reads memo entry ${key}, which was not stored`);
    this.push(value);
  }

  #top(): Pickled {
    const top = this.pop();
    this.push(top);
    return top;
  }

  #advance(bytes: number): number {
    const at = this.at;
    if (at + bytes > this.#bytes.length) throw new RangeError(`${this.#what} ends in the middle of its pickle`);
    this.at += bytes;
    return at;
  }

  #damaged(fault: string): FormatError {
    return new FormatError(`${this.#what}: its pickle ${fault} before byte ${this.at}: it is corrupted`);
  }
}

/** The action of each opcode, by its letter, in the order of pickletools. */
const opcodes: ReadonlyMap<string, (m: Machine) => void> = new Map<string, (m: Machine) => void>([
  ["J", (m) => m.push(m.int32())],
  ["K", (m) => m.push(m.uint(1))],
  ["M", (m) => m.push(m.uint(2))],
  ["\x8a", (m) => m.push(m.long(m.uint(1)))],
  ["G", (m) => m.push(m.float64())],
  ["X", (m) => m.push(m.text(m.uint(4)))],
  ["\x8c", (m) => m.push(m.text(m.uint(1)))],
  ["N", (m) => m.push(null)],
  ["\x88", (m) => m.push(true)],
  ["\x89", (m) => m.push(false)],
  ["]", (m) => m.push([])],
  ["a", (m) => m.append([m.pop()])],
  ["e", (m) => m.append(m.popRun())],
  [")", (m) => m.push([])],
  ["t", (m) => m.push(m.popRun())],
  ["\x85", (m) => m.popTuple(1)],
  ["\x86", (m) => m.popTuple(2)],
  ["\x87", (m) => m.popTuple(3)],
  ["}", (m) => m.push(new Map())],
  ["s", (m) => m.setItems([m.pop(), m.pop()].reverse())],
  ["u", (m) => m.setItems(m.popRun())],
  ["(", (m) => m.push(mark)],
  ["h", (m) => m.recall(m.uint(1))],
  ["j", (m) => m.recall(m.uint(4))],
  ["q", (m) => m.remember(m.uint(1))],
  ["r", (m) => m.remember(m.uint(4))],
  ["\x94", (m) => m.memoize()],
  ["c", (m) => m.pushName(m.line(), m.line())],
  ["\x93", (m) => m.pushName(...([m.pop(), m.pop()].reverse() as [Pickled, Pickled]))],
  ["Q", (m) => m.refer()],
  ["R", (m) => m.call()],
  ["b", (m) => void m.pop()], // attributes, such as a state dict's _metadata: not needed
  ["\x80", (m) => m.skip(1)],
  ["\x95", (m) => m.skip(8)],
  [
    ".",
    (m) => {
      m.done = true;
    },
  ],
]);
