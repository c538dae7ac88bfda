import { expect, test } from "vitest";
import { Template } from "../../../src/jinja/template.ts";

/** What an expression over `s` gives. */
const of = (s: string, expression: string) => new Template(`{{ ${expression} }}`).render({ s }).text;

test.each([
  ["\uf96b三½²٣", "s.isnumeric()", "True"],
  ["²٣", "s.isdigit()", "True"],
  ["²", "s.isdecimal()", "False"],
  ["ǆuro ᾳ ﬁn ŉ", "s.title()", "ǅuro ᾼ Fin ʼN"],
  ["ΑΣ ΑΣΑ Σ", "s.lower()", "ας ασα σ"],
  ["ΑΣ", "s.capitalize()", "Ας"],
  ["aΣ'b", "s.swapcase()", "Aσ'B"],
  ["\u3000\u001f a\u2028\u200b\ufeff", "[s.strip()]", "['a\\u2028\\u200b\\ufeff']"],
  ["a\u001cb\u0085c\u2029d\re", "s.splitlines() | length", "5"],
  ["é𝒳🦜\ue000", "[s[1:3], s.find('🦜'), s | length]", "['𝒳🦜', 2, 4]"],
  ["tab\there\u0000\u00ad\u{10ffff}", "[s]", "['tab\\there\\x00\\xad\\U0010ffff']"],
  ["it's", "[s, s ~ '\"']", `["it's", 'it\\'s"']`],
  ["๓", "s | int + 1", "4"],
  ["１_０．５", "s | float(7)", "7"],
])("%j: %s is %j", (s, expression, expected) => {
  expect(of(s, expression)).toBe(expected);
});
