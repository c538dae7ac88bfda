/** Chat templates. */
import { Template } from "../../../dist/jinja/template.js";
import { golden, list, parsed, text } from "../seeds.mjs";

export const refusals = ["TemplateError"];
const FILE = "chat_template.jinja";
const { conversations, tokens } = parsed(golden("templates/rendered.json"));
const constructs = Object.values(parsed(golden("templates/constructs.json"))).flat();
const small = constructs.flatMap((each) => (typeof each?.template === "string" ? [text(each.template)] : []));

export const seeds = () =>
  [...list("golden/templates", ".jinja").map((file) => golden(`templates/${file}`)), ...small].map((bytes) => ({
    [FILE]: bytes,
  }));

export const words = [
  ..."{% for m in messages %}|{% endfor %}|{% if x %}|{% else %}|{% endif %}|{{ messages }}|{{ m.content }}|{% set x = x + x %}".split(
    "|",
  ),
  ...[
    "{% macro f(x) %}",
    "{% endmacro %}",
    "{{ f(f) }}",
    "{% set ns = namespace(a='x') %}",
    "{% set ns.a = ns.a + ns.a %}",
    "{% generation %}",
  ],
  ...[
    "range(1000000000)",
    "range(99999)",
    "x ** 99999",
    "x * 999999",
    "[x] * 99999",
    "recursive",
    "loop(messages)",
    "loop.index",
    "is defined",
  ],
  ..."| tojson|| length|| upper|| trim|| replace('a', 'aa')|| join(',')|| sort|| list|| batch(3)|| indent(99999)|| center(99999)"
    .split("||")
    .map((w) => `|${w}`),
  ...[
    "'%999999d' % 1",
    "'{:>999999}'.format(x)",
    ".split('')",
    ".join(messages)",
    ".__class__",
    "[::-1]",
    "[-9:99]",
    "and",
    "not",
    "in",
    "**",
    "//",
    "%",
    "~",
  ],
];

export async function run(files) {
  const template = new Template(new TextDecoder().decode(files[FILE]));
  const chosen = [conversations[0], conversations.at(-1)];
  for (const { messages, tools = null } of chosen) {
    template.render({ messages, tools, ...tokens, add_generation_prompt: true }, { now: () => new Date(0) });
  }
}
