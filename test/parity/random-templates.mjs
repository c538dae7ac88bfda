/** Random templates that mostly render: expressions by type, statements around them, white space and its control. */

const WORDS = [
  "",
  "a",
  "Ab",
  "  x  ",
  "été",
  "𝒳🦜",
  "line\\nbreak",
  "it's",
  'q\\"q',
  "<b>&",
  "10",
  "3.5",
  "-7",
  "ǅSS",
  "ΑΣ",
  "a-b c",
  "x,y,,z",
  "user",
  "\\t",
  "%s",
  "{}",
];
const NAMES = ["n", "i", "f", "s", "t", "l", "d", "u", "ns", "messages"];

/** A generator of numbers in [0, 1) that a seed repeats. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const VARIABLES = {
  n: 5,
  i: -3,
  f: 2.5,
  s: "Straße, öl und Tee",
  t: " <think>\nwell\n</think>\n\nyes ",
  l: [3, "b", null, 1.5, true, [1, 2]],
  d: { b: 1, a: "two", 10: 3, 2: null },
  bos_token: "<s>",
  eos_token: "</s>",
  messages: [
    { role: "system", content: " be brief " },
    { role: "user", content: 'hi "there" é <b>&' },
    {
      role: "assistant",
      content: "hello\n",
      tool_calls: [{ function: { name: "get", arguments: { x: 1.5, y: [1] } } }],
    },
    { role: "tool", content: "20°" },
  ],
};

const SIGNS = [
  "{{",
  "}}",
  "{%",
  "%}",
  "-",
  "+",
  "|",
  "'",
  '"',
  "(",
  ")",
  "[",
  "]",
  ".",
  " ",
  "=",
  "~",
  ",",
  ":",
  "\n",
  "not ",
  "is ",
  "0",
  "#}",
];

/** A template with a few places changed: mostly damaged, at times only different. */
function mutated(template, random) {
  const whole = (below) => Math.floor(random() * below);
  let text = template;
  for (let edits = 1 + whole(3); edits > 0; edits--) {
    const at = whole(text.length);
    const end = Math.min(text.length, at + whole(14));
    const kind = whole(4);
    if (kind === 0) text = text.slice(0, at) + text.slice(end);
    else if (kind === 1) text = text.slice(0, end) + text.slice(at);
    else if (kind === 2) text = text.slice(0, at) + SIGNS[whole(SIGNS.length)] + text.slice(at);
    else text = text.slice(0, at) + SIGNS[whole(SIGNS.length)] + text.slice(at + 1);
  }
  return text;
}

/** Templates, one after the other: a part of them are `examples` with changes. */
export function* randomTemplates(random, examples) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const chance = (part) => random() < part;
  const whole = (below) => Math.floor(random() * below);
  const some = (least, most, make) => Array.from({ length: least + whole(most - least + 1) }, make);

  const word = () => `${chance(0.5) ? `'${pick(WORDS).replaceAll("'", "\\'")}'` : `"${pick(WORDS)}"`}`;
  const int = () =>
    pick(["0", "1", "2", "3", "-1", "-2", "7", "10", "100", "9007199254740993", "1_000", "0x1F", "(-4)"]);
  const float = () =>
    pick(["0.5", "1.0", "2.675", "-0.0", "1e3", "1e22", "1.5e-7", "3.14159", "-2.5", "100.0", "1e16", "0.1"]);

  const number = (d) => {
    if (d <= 0) return pick([int, int, float, () => "n", () => "i", () => "f"])();
    return pick([
      int,
      float,
      () => `(${number(d - 1)} ${pick(["+", "-", "*", "/", "//", "%"])} ${number(d - 1)})`,
      () => `(${number(0)} ** ${pick(["2", "3", "-1", "0", "0.5"])})`,
      () => `-${number(d - 1)}`,
      () => `${text(d - 1)} | length`,
      () => `${list(d - 1)} | length`,
      () => `(${any(d - 1)} | int${pick(["", "(7)", "(default=-1)"])})`,
      () => `(${any(d - 1)} | float)`,
      () => `(${number(d - 1)} | round${pick(["", "(1)", "(-1)", "(2, 'floor')", "(1, 'ceil')", "(precision=3)"])})`,
      () => `(${number(d - 1)} | abs)`,
      () => `(${list(d - 1)} | sum)`,
      () =>
        `(${text(d - 1)}).${pick(["find", "rfind", "count", "index"])}(${word()}${pick(["", ", 1", ", -2", ", 0, 3"])})`,
      () => `(${text(d - 1)} | wordcount)`,
      () => `[${int()}, ${int()}, ${number(0)}] | ${pick(["min", "max", "first", "last"])}`,
    ])();
  };

  const text = (d) => {
    if (d <= 0)
      return pick([word, word, () => "s", () => "t", () => "messages[1].content", () => "messages[0]['role']"])();
    const inner = () => `(${text(d - 1)})`;
    return pick([
      word,
      () => `(${text(d - 1)} + ${text(d - 1)})`,
      () => `(${any(d - 1)} ~ ${any(d - 1)})`,
      () => `${inner()}[${slice()}]`,
      () => `${inner()}.${pick(["upper", "lower", "title", "capitalize", "swapcase", "strip", "lstrip", "rstrip"])}()`,
      () => `${inner()}.${pick(["strip", "lstrip", "rstrip", "removeprefix", "removesuffix"])}(${word()})`,
      () => `${inner()}.replace(${word()}, ${word()}${pick(["", ", 1", ", -1", ", 0"])})`,
      () => `${inner()}.${pick(["center", "ljust", "rjust", "zfill"])}(${whole(12)})`,
      () => `${inner()}.${pick(["split", "rsplit"])}(${pick(["", word(), `${word()}, 1`, "none, 1", "maxsplit=1"])})`,
      () => `${inner()}.${pick(["partition", "rpartition"])}(${word()})`,
      () => `${inner()}.splitlines(${pick(["", "true"])})`,
      () => `${inner()}.expandtabs(${pick(["", "3"])})`,
      () => `${word()}.join(${pick([`${inner()}`, "['a', 'b']", `${list(d - 1)} | map('string')`])})`,
      () => `(${any(d - 1)} | string)`,
      () =>
        `(${any(d - 1)} | tojson${pick(["", "(indent=2)", "(ensure_ascii=true)", "(separators=(',', ':'))", "(sort_keys=true)", "(indent=1, sort_keys=true)"])})`,
      () =>
        `(${any(d - 1)} | ${pick(["upper", "lower", "title", "capitalize", "trim", "reverse", "wordwrap(6)", "urlencode", "striptags"])})`,
      () =>
        `(${inner()} | ${pick(["indent", "indent(2, true)", "indent('> ', blank=true)", "center(9)", "truncate(9)", "truncate(5, true, '!')", "truncate(8, leeway=0)", `replace(${word()}, ${word()})`, `trim(${word()})`, "wordwrap(4, false)", "wordwrap(10, wrapstring='|')"])})`,
      () => `(${list(d - 1)} | join${pick(["", "(', ')", "(d='-')"])})`,
      () => `('${pick(["%s", "%r", "%5s|", "%-5s|", "%.2s", "%s%%"])}' % (${pick([`${any(d - 1)},`, any(d - 1)])}))`,
      () =>
        `('${pick(["%d", "%5d", "%05d", "%+d", "%x", "%#x", "%o", "%.1f", "%8.3f", "%e", "%g", "%.0f", "%i", "%G", "% d", "%c"])}' % (${number(d - 1)}))`,
      () =>
        `'${pick(["{}", "{0}", "{:>6}", "{:<6}|", "{:^7}", "{:*^9}", "{!r}", "{!s:.3}", "{{}}{}"])}'.format(${any(d - 1)})`,
      () =>
        `'${pick(["{:d}", "{:05}", "{:+}", "{:,}", "{:.2f}", "{:e}", "{:g}", "{:%}", "{:x}", "{:#b}", "{:_}", "{:.3}", "{:>8.1f}", "{:010,.1f}"])}'.format(${number(d - 1)})`,
      () =>
        `('${pick(["%s-%s", "%s", "%(a)s"])}' | format(${pick([any(d - 1), `${any(d - 1)}, 2`, `a=${any(d - 1)}`])}))`,
      () => `(${text(d - 1)} if ${bool(d - 1)} else ${text(d - 1)})`,
      () => `(${any(d - 1)} | default(${text(d - 1)}${pick(["", ", true"])}))`,
      () => `${inner()}[${int()}]`,
      () => `((${number(d - 1)}) | filesizeformat${pick(["", "(true)"])})`,
      () => `(${dict(d - 1)} | xmlattr)`,
      () => `(${text(d - 1)} | e)`,
    ])();
  };

  const slice = () =>
    pick(["1:", ":-1", "::-1", "1:3", "::2", "-2:", ":0", "5:1:-1", "0:100", "::-2", `${int()}:${int()}`]);

  const list = (d) => {
    if (d <= 0)
      return pick([
        "[1, 2, 3]",
        "[]",
        "l",
        "('a', 'B', 'c')",
        "['b', 'a', 'C']",
        "range(4)",
        "messages",
        "(1,)",
        "[1, true, 1.0]",
      ]);
    return pick([
      () => `[${some(0, 4, () => any(d - 1)).join(", ")}]`,
      () => `(${some(2, 3, () => any(d - 1)).join(", ")})`,
      () => `(${list(d - 1)})[${slice()}]`,
      () => `(${list(d - 1)} + ${list(d - 1)})`,
      () => `(${list(0)} * ${pick(["2", "0", "-1"])})`,
      () =>
        `(${list(d - 1)} | ${pick(["list", "sort", "sort(reverse=true)", "reverse | list", "unique | list", "batch(2) | list", "batch(2, 'x') | list", "slice(2) | list", "slice(3, '-') | list", "map('string') | list", "map('upper') | list", "select | list", "reject | list", "select('string') | list", "reject('none') | list", "select('number') | list", "map('default', 'z') | list", "reverse", "sort(case_sensitive=true)"])})`,
      () =>
        `(messages | ${pick(["map(attribute='role') | list", "selectattr('role', 'equalto', 'user') | list", "rejectattr('content') | list", "selectattr('tool_calls', 'defined') | list", "groupby('role') | list", "sort(attribute='content') | map(attribute='role') | list", "map(attribute='tool_calls', default=0) | list", "map('attr', 'role') | list", "map(attribute='role') | unique | join"])})`,
      () => `range(${pick(["3", "1, 4", "5, 0, -2", "0", "-2, 2"])})`,
      () => `(${text(d - 1)}).split(${word()})`,
      () => `(${text(d - 1)} | list)`,
      () => `(${dict(d - 1)}).${pick(["keys", "values", "items"])}()${pick(["", " | list", " | list | sort"])}`,
      () =>
        `(${dict(d - 1)} | ${pick(["dictsort", "dictsort(by='value')", "dictsort(true, reverse=true)", "items | list", "list"])})`,
    ])();
  };

  const dict = (d) => {
    if (d <= 0)
      return pick([
        "d",
        "{}",
        "{'k': 1}",
        "messages[0]",
        "{1: 'a', true: 'b', 1.0: 'c'}",
        "{'10': 1, '2': 2}",
        "{(1, 2): none}",
      ]);
    return pick([
      () => `{${some(0, 3, () => `${pick([word, int, () => "none", () => "(1, 'a')"])()}: ${any(d - 1)}`).join(", ")}}`,
      () => `dict(${pick(["", "d, ", "[('x', 1)], "])}${pick(["z=2", "a=1, b='c'"])})`,
      () => `(${dict(d - 1)}).copy()`,
    ])();
  };

  const bool = (d) => {
    if (d <= 0) return pick(["true", "false", "True", "none", "n > 3", "u is defined"]);
    return pick([
      () => `(${any(d - 1)} ${pick(["==", "!="])} ${any(d - 1)})`,
      () => `(${number(d - 1)} ${pick(["<", "<=", ">", ">="])} ${number(d - 1)})`,
      () => `(${number(0)} < ${number(0)} <= ${number(0)})`,
      () => `(${text(d - 1)} ${pick(["<", ">", "in", "not in"])} ${text(d - 1)})`,
      () => `(${any(d - 1)} ${pick(["in", "not in"])} ${list(d - 1)})`,
      () => `(${any(d - 1)} in ${dict(d - 1)})`,
      () =>
        `(${any(d - 1)} is ${pick(["", "not "])}${pick(["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "callable", "true", "false", "lower", "upper", "escaped"])})`,
      () =>
        `(${number(d - 1)} is ${pick(["odd", "even", "divisibleby 3", "eq 2", "gt(1)", "lt 2", "ge 1", "sameas 2", "in [1, 2]"])})`,
      () => `(${any(d - 1)} is sameas ${pick(["none", "true"])})`,
      () => `('${pick(["upper", "nope", "tojson"])}' is ${pick(["filter", "test"])})`,
      () => `(not ${bool(d - 1)})`,
      () => `(${any(d - 1)} ${pick(["and", "or"])} ${any(d - 1)})`,
      () =>
        `(${text(d - 1)}).${pick(["isdigit", "isalpha", "isalnum", "isspace", "islower", "isupper", "istitle", "isnumeric", "isdecimal", "isascii", "isidentifier", "isprintable"])}()`,
      () =>
        `(${text(d - 1)}).${pick(["startswith", "endswith"])}(${pick([word(), `(${word()}, ${word()})`, `${word()}, 1`])})`,
    ])();
  };

  const any = (d) => {
    const kind = pick([number, number, text, text, text, list, list, dict, bool, null]);
    if (kind !== null) return kind(d);
    if (d <= 0)
      return pick([
        ...NAMES,
        "none",
        "u.x",
        "d.a",
        "d.zz",
        "d['b']",
        "d.items",
        "messages[9]",
        "messages[2].tool_calls[0].function.name",
        "ns.a",
        "loop.index",
        "x",
      ]);
    return pick([
      () => `(${list(d - 1)})[${int()}]`,
      () => `(${dict(d - 1)}).get(${word()}${pick(["", ", 1"])})`,
      () => `(${dict(d - 1)})[${pick([word, int])()}]`,
      () => `(${list(d - 1)} | ${pick(["first", "last", "min", "max", "sum", "random | string | length"])})`,
      () => `(${list(d - 1)} | ${pick(["map", "select"])}(${pick(["'int'", "'length'", "'string'", "'odd'"])}))`,
      () => `(${list(d - 1)}).${pick(["index", "count"])}(${any(0)})`,
      () => `m(${pick(["", "1", "1, 2", "b=3", "1, c=4", "*[1, 2]", "**{'b': 2}"])})`,
      () => `(${any(d - 1)}).${pick(["real", "append", "__class__", "foo", "items", "name"])}`,
    ])();
  };

  const open = () => pick(["{%", "{%", "{%", "{%-", "{%+"]);
  const close = () => pick(["%}", "%}", "%}", "-%}", "+%}"]);
  const tag = (inside) => `${open()} ${inside} ${close()}`;
  const space = () => pick(["", "", "\n", " ", "\n  ", "  ", "\n\n", "\t", " text ", "x\n", "\r\n"]);
  const output = (d) => `${pick(["{{", "{{", "{{-"])} ${any(d)} ${pick(["}}", "}}", "-}}"])}`;

  const statement = (d, inLoop) => {
    if (d <= 0) return output(2);
    const body = (loop = inLoop) => some(1, 3, () => space() + statement(d - 1, loop)).join("") + space();
    return pick([
      () => output(3),
      () => output(3),
      () => output(2),
      () =>
        `${tag(`if ${bool(2)}`)}${body()}${chance(0.4) ? `${tag(`elif ${bool(1)}`)}${body()}` : ""}${chance(0.5) ? `${tag("else")}${body()}` : ""}${tag("endif")}`,
      () =>
        `${tag(`for x in ${list(2)}${pick(["", "", " if x", " if x is not none"])}`)}${body(true)}${chance(0.2) ? tag("else") + body() : ""}${tag("endfor")}`,
      () =>
        `${tag("for m in messages")}{{ m.role }}${body(true)}{{ ${pick(["loop.last", "loop.index0", "loop.length", "loop.revindex", "loop.cycle('a', 'b')", "loop.previtem.role", "loop.nextitem.role", "loop.changed(m.role)", "loop.first", "loop.depth"])} }}${tag("endfor")}`,
      () => `${tag("for k, v in d.items()")}{{ k }}={{ v }}${body(true)}${tag("endfor")}`,
      () =>
        `${tag("for x in [[1, [2, [3]]], 4] recursive")}{{ x if x is number else loop(x) }}{{ loop.depth }}${tag("endfor")}`,
      () => tag(`set ${pick(["n", "s", "q", "x", "l"])} = ${any(2)}`),
      () => tag(`set a, b = ${pick(["1, 2", "[3, 4]", list(1)])}`),
      () =>
        `${tag(`set ${pick(["q", "s"])}${pick(["", " | upper", " | trim | length"])}`)}${body()}${tag("endset")}{{ q }}`,
      () => `${tag("set ns = namespace(a=1)")}${tag(`set ns.${pick(["a", "b"])} = ${any(2)}`)}{{ ns.a }}`,
      () =>
        `${tag(`macro m(${pick(["", "a", "a, b=2", "a=1, b=a", "b, c=3"])})`)}[{{ a }}{{ b }}{{ c }}${pick(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller }}", "{{ caller() }}"])}]${body(false)}${tag("endmacro")}{{ m(1) }}`,
      () =>
        `${tag("macro w(a=1)")}<{{ caller(${pick(["", "a"])}) }}>${tag("endmacro")}${tag(`call${pick(["", "(z)", "(z=5)"])} w(${pick(["", "2"])})`)}{{ z }}${body(false)}${tag("endcall")}`,
      () =>
        `${tag(`filter ${pick(["upper", "trim", "indent(2)", "replace('a', 'b') | title", "length"])}`)}${body()}${tag("endfilter")}`,
      () => `${tag(`with q = ${any(2)}, x = n`)}{{ q }}${body()}${tag("endwith")}`,
      () => `${tag("raw")} {{ x }} ${tag("endraw")}`,
      () => `{#${pick(["", "-", "+"])} note ${pick(["", "-", "+"])}#}`,
      () => `${tag("generation")}${body(false)}${tag("endgeneration")}`,
      () => (inLoop ? `${tag(`if ${bool(1)}`)}${tag(pick(["break", "continue"]))}${tag("endif")}` : output(2)),
    ])();
  };

  for (;;) {
    const kind = random();
    if (kind < 0.15) yield mutated(pick(examples), random);
    else if (kind < 0.55) yield `{{ ${any(1 + whole(3))} }}`;
    else yield some(1, 4, () => space() + statement(1 + whole(3), false)).join("") + space();
  }
}
