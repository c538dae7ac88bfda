/** Changes the structure of JSON: values to edges and other types, entries taken out, doubled, renamed, nested. */
const NUMBERS = [
  ...[
    0,
    -0,
    1,
    -1,
    2,
    3,
    7,
    0.5,
    -0.5,
    2.5,
    255,
    256,
    65_535,
    65_536,
    100_000,
    1e6,
    1e9,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
  ],
  ...[2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53, 1e15, 1e21, 1e100, 1e308, -1e308, 5e-324, 1e-45],
];
const RAW = [
  "NaN",
  "Infinity",
  "-Infinity",
  "1e999",
  "2.0",
  "-0.0",
  "01",
  "9223372036854775808",
  "18446744073709551616",
];
const TEXTS = [
  ...[
    "",
    " ",
    "a",
    "__proto__",
    "constructor",
    "toString",
    "null",
    "true",
    "0",
    "-1",
    "../x",
    "/etc/passwd",
    "\u0000",
    "\ud800",
  ],
  ...[
    "é",
    "😀",
    "\u202e",
    "(a+)+$",
    "([a-z._0-9]+)+!",
    ".*",
    "(?:",
    "\\",
    "\\p{L}+",
    "(?i)x",
    "(?<=a)b",
    "[",
    "a{1000}{1000}",
  ],
];
/** Stands for text that JSON.stringify cannot write; `encodeJson` puts it in. */
const MARK = "\u0001raw:";
const MARKED = "\\u0001raw:";
/** Documents do not grow beyond so many bytes, or twice what they were. */
const MOST = 50_000;

/** The bytes of a JSON document with changes. Bytes that are no JSON come back as null. */
export function mutateJson(bytes, random, others = []) {
  const root = parse(bytes);
  if (root === undefined) return null;
  const donors = others.length > 0 && random.chance(0.3) ? [parse(random.pick(others))].filter(Boolean) : [];
  const holder = { root };
  try {
    for (let left = 1 + random.below(3); left > 0; left--) mutateOnce(holder, random, donors);
    const made = encodeJson(holder.root);
    return made.length > Math.max(MOST, 2 * bytes.length) ? null : made;
  } catch (error) {
    if (error instanceof RangeError) return null; // nested more deeply than is written here
    throw error;
  }
}

export function encodeJson(value) {
  const text = JSON.stringify(value) ?? "null";
  return new TextEncoder().encode(text.includes(MARKED) ? text.replaceAll(/"\\u0001raw:([^"]*)"/g, "$1") : text);
}

/** Changes one place inside `holder.root`. */
export function mutateOnce(holder, random, donors = []) {
  const places = [];
  collect(holder, places);
  const [parent, key] = random.pick(places);
  const value = parent[key];
  switch (random.below(10)) {
    case 0:
      return remove(parent, key);
    case 1:
      return double(parent, key, random);
    case 2:
      parent[key] = random.chance(0.5) ? [value] : { [random.pick(TEXTS)]: value };
      return;
    case 3: {
      const [from, at] = random.pick(random.chance(0.5) && donors.length > 0 ? placesOf(random.pick(donors)) : places);
      parent[key] = structuredClone(from[at]);
      return;
    }
    case 4:
      parent[key] = deep(value, random.pick([10, 100, 1000]));
      return;
    default:
      parent[key] = leaf(value, random);
  }
}

function leaf(value, random) {
  if (random.chance(0.15)) return random.pick([null, true, false, [], {}, "", 0, [null], { a: 1 }]);
  if (typeof value === "number" || random.chance(0.1)) return number(typeof value === "number" ? value : 1, random);
  if (typeof value === "string") return text(value, random);
  if (typeof value === "boolean") return !value;
  if (Array.isArray(value)) return list(value, random);
  if (value === null) return random.pick([0, "", {}, [], false]);
  return random.pick([null, {}, [], "x", 1]);
}

function number(value, random) {
  if (random.chance(0.1)) return MARK + random.pick(RAW);
  if (random.chance(0.5)) return random.pick(NUMBERS);
  return random.pick([value + 1, value - 1, -value, value * 2, value / 2, value + 0.5, String(value)]);
}

function text(value, random) {
  const at = random.below(value.length + 1);
  const cut = random.below(4);
  const put = random.pick(TEXTS);
  return random.pick([
    ...[put, value + put, value.slice(0, at) + put + value.slice(at + cut), value.slice(0, at), value.slice(at)],
    ...[value.toUpperCase(), value.slice(0, 1000).repeat(random.pick([2, 50])), "x".repeat(random.pick([100, 10_000]))],
  ]);
}

function list(value, random) {
  switch (random.below(4)) {
    case 0:
      return value.slice(0, random.below(value.length + 1));
    case 1:
      return value.toReversed();
    case 2:
      return Array.from({ length: random.pick(isLarge(value[0]) ? [2, 20] : [2, 100, 2000]) }, () => value[0] ?? 0);
    default:
      return [...value, ...value.slice(0, 100)];
  }
}

const isLarge = (value) => typeof value === "object" || (typeof value === "string" && value.length > 100);

function remove(parent, key) {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (key !== "root") delete parent[key];
}

function double(parent, key, random) {
  if (Array.isArray(parent)) parent.splice(Number(key), 0, structuredClone(parent[key]));
  else if (key !== "root") {
    const other = random.pick([...Object.keys(parent), ...TEXTS]);
    Object.defineProperty(parent, other, {
      ...{ value: structuredClone(parent[key]), enumerable: true, configurable: true, writable: true },
    });
  }
}

function deep(value, depth) {
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value };
  return value;
}

/** Every place of a document, its top included; long lists by a part. */
function collect(parent, places) {
  for (const key of Object.keys(parent).slice(0, 400)) {
    places.push([parent, key]);
    const value = parent[key];
    if (typeof value === "object" && value !== null && places.length < 5000) collect(value, places);
  }
}

function placesOf(root) {
  const places = [];
  collect({ root }, places);
  return places;
}

function parse(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
