/** A template is untrusted: whatever it does, it ends soon, with an error that names the limit and the place. */
import { expect, test } from "vitest";
import { LIMITS, Template, TemplateError } from "../../../src/jinja/template.ts";

const NEVER_ENDING: readonly string[] = [
  "{% for i in range(1000000000) %}x{% endfor %}",
  "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
  "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('a', 'aaaaaaaaaaab') %}{% endfor %}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s.join(ns.s) %}{% endfor %}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = '%s%s' % (ns.s, ns.s) %}{% endfor %}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = '{0}{0}'.format(ns.s) %}{% endfor %}",
  "{% set ns = namespace(s='a\\nb') %}{% for i in range(9999) %}{% set ns.s = ns.s | indent(9999) %}{% endfor %}",
  "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
  "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
  "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
  "{% set a = namespace(l=[1]) %}{% set b = namespace(l=[1]) %}{% for i in range(99) %}{% set a.l = [a.l, a.l] %}" +
    "{% set b.l = [b.l, b.l] %}{% endfor %}{{ a.l == b.l }}",
  "{% set ns = namespace(l=(1,)) %}{% for i in range(99) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
  "{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
  "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
  "{{ 9 ** (9 ** 9 ** 9) }}",
  "{{ 7 ** 999999999999 }}",
  "{{ 'x' * 999999999999 }}",
  "{{ [0] * 999999999999 }}",
  "{{ 'x'.center(999999999999) }}{{ 'x'.zfill(99999999999) }}",
  "{{ 'x' | center(999999999) }}",
  "{{ '%999999999d' % 1 }}",
  "{{ '%.999999999f' % 1 }}",
  "{{ '{:999999999}'.format(1) }}",
  "{{ [1] | batch(999999999, 2) | list }}",
  "{{ [1] | slice(999999999) | list }}",
  "{{ 'a\\tb'.expandtabs(999999999) }}",
  "{{ {} | tojson(indent=999999999) }}{{ [1] | tojson(indent=999999999) }}",
  "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
  "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
  "{% macro f(n) %}{% if n < 99 %}{{ f(n + 1) }}{{ f(n + 1) }}{% endif %}{% endmacro %}{{ f(0) }}",
  "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
  "{% macro f() %}{% call f() %}{{ caller }}{% endcall %}{% endmacro %}{{ f() }}",
  `${"(".repeat(9999)}1${")".repeat(9999)}`.replace(/^/, "{{ ").replace(/$/, " }}"),
  `{{ ${"[".repeat(9999)}${"]".repeat(9999)} }}`,
  `{{ ${"not ".repeat(9999)}1 }}`,
  `{{ ${"-".repeat(9999)}1 }}`,
  `{{ ${"1 if 1 else ".repeat(9999)}1 }}`,
  `${"{% if 1 %}".repeat(9999)}${"{% endif %}".repeat(9999)}`,
  `{{ x${".a".repeat(99999)} }}`,
  `{{ 1${" + 1".repeat(99999)} }}`,
  `{{ 'a'${" | upper".repeat(99999)} }}`,
  "{% for a in range(99999) %}{{ range(99999) | sort | list | unique | list | sum }}{% endfor %}",
  "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% set t = s | upper %}{% endfor %}",
  "{% set s = 'a' * 9999999 %}{% for a in range(99999) %}{% if 'b' in s %}{% endif %}{% endfor %}",
  "{% set s = 'ab ' * 99999 %}{% for a in range(99999) %}{% set t = s | wordwrap(2) %}{% endfor %}",
  "{% set s = 'ab ' * 99999 %}{% for a in range(99999) %}{% set t = s.rsplit() %}{% endfor %}",
  "{% set s = '<' * 999999 %}{{ s | striptags }}{{ ('<!--' * 99999) | striptags }}{{ ('<!---->' * 99999) | striptags }}{{ ('<>' * 999999) | striptags }}" +
    "{% for a in range(99999) %}{{ s | striptags }}{% endfor %}",
  "{% set s = 'é𝒳' * 999999 %}{% for a in range(99999) %}{% set t = s[1:-1] %}{% set u = s[::-1] %}{% endfor %}",
  "{% set s = 'é𝒳' * 999999 %}{% for a in range(99999) %}{% set t = s | length %}{% endfor %}",
  "{% set s = 'é𝒳' * 999999 %}{% for a in range(99999) %}{% set t = s.title() %}{% set t = s.isalpha() %}{% endfor %}",
  "{% set s = 'ab' * 999999 %}{% for a in range(99999) %}{% set t = s.strip('ab') %}{% set t = s.find('ba', 1) %}{% endfor %}",
  "{% set s = 'ab' * 999999 %}{% for a in range(99999) %}{% set t = s == s ~ 'a' %}{% set t = s < s ~ 'a' %}{% endfor %}",
  "{% set d = dict([['k' * 999999, 1]]) %}{% for a in range(99999) %}{% set t = d['k' * 999999] %}{{ {s: 1} }}{% endfor %}",
  "{% set s = '9' * 4000 %}{% for a in range(99999) %}{% set t = s | int %}{% set t = s | float %}{% endfor %}",
  "{% set s = 'ab' * 9999 %}{% for a in range(99999) %}{{ s | urlencode | e }}{% endfor %}",
  "{% set s = 'a' * 9999 %}{% for a in range(99999) %}{% set t = s | tojson(ensure_ascii=true) %}{{ s.split('a') | length }}{% endfor %}",
];

test.each(NEVER_ENDING)("%s", (text) => {
  const start = performance.now();
  let error: unknown;
  try {
    new Template(text).render({ messages: [] });
  } catch (caught) {
    error = caught;
  }
  const milliseconds = performance.now() - start;
  expect(error).toBeInstanceOf(TemplateError);
  expect((error as TemplateError).message).toMatch(
    /^line \d+, column \d+: (LimitError|OverflowError|ValueError|TypeError)/,
  );
  expect(milliseconds).toBeLessThan(5000);
});

test("limits can be set for one rendering", () => {
  const template = new Template("{% for i in range(1000) %}x{% endfor %}");
  expect(template.render({}).text).toHaveLength(1000);
  expect(() => template.render({}, { limits: { steps: 100 } })).toThrow(/limit of 100 for "steps"/);
  expect(() => template.render({}, { limits: { text: 100 } })).toThrow(/limit of 100 for "text"/);
  expect(LIMITS.range).toBe(100_000);
});

test("a conversation of a megabyte is far from the limits", () => {
  const messages = Array.from({ length: 4000 }, (_, i) => ({
    role: i % 2 ? "assistant" : "user",
    content: "whale ".repeat(50),
  }));
  const text = "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{{ m | tojson }}\n{% endfor %}";
  expect(new Template(text).render({ messages }).text.length).toBeGreaterThan(2_000_000);
});

test("nothing of JavaScript's objects is within reach", () => {
  const names = [
    "constructor",
    "__proto__",
    "prototype",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "length",
    "size",
    "get",
  ];
  const values = ["messages", "messages[0]", "'a'", "1", "1.5", "range", "namespace()", "loop", "(1,)", "{}", "none"];
  for (const value of values.filter((each) => each !== "loop" && each !== "none")) {
    for (const name of names) {
      if (name === "get" && (value === "{}" || value === "messages[0]")) continue;
      for (const access of [`${value}.${name}`, `(${value})['${name}']`, `${value} | attr('${name}')`]) {
        const text = `{{ (${access}) is defined }}`;
        expect(`${access} ${new Template(text).render({ messages: [{ role: "user" }] }).text}`).toBe(`${access} False`);
      }
    }
  }
  const polluted = JSON.parse('[{"role": "user", "__proto__": {"admin": 1}}]');
  expect(new Template("{{ messages[0].admin is defined }}").render({ messages: polluted }).text).toBe("False");
});
